def behaviour(arguments):
    """Asks the host for what it is or holds, with read-only calls of its own tools, and keeps the length of the answer."""
    import subprocess
    calls = {
        'version': ['esxcli', 'system', 'version', 'get'],
        'processes': ['esxcli', 'vm', 'process', 'list'],
        'addresses': ['esxcli', 'network', 'ip', 'interface', 'list'],
        'guests': ['vim-cmd', 'vmsvc/getallvms'],
    }
    call = calls[next(one for one in arguments if one in calls)]
    try:
        process = subprocess.Popen(call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as trouble:
        return {'did': 'asked for nothing: %s' % trouble}
    try:
        answer = process.communicate(timeout=15)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {'did': 'asked with %s, which gave no answer in time' % call[0]}
    return {'did': 'asked with %s, which answered %d bytes' % (' '.join(call), len(answer))}
