def behaviour(arguments):
    """Starts the programs that names among the arguments stand for, one after the other. All of them only look at something
    and end; what they print is counted and dropped."""
    import os
    import subprocess
    here = os.path.dirname(own_script() or '')
    calls = {
        # ESXi, read-only
        'version': ['esxcli', 'system', 'version', 'get'],
        'guests': ['vim-cmd', 'vmsvc/getallvms'],
        # macOS
        'osascript': ['/usr/bin/osascript', '-e', 'return 1'],
        'git-status': ['/bin/bash', '-c', 'git status --short'],
        'system-version': ['/usr/bin/sw_vers'],
        'locale': ['/usr/bin/defaults', 'read', 'NSGlobalDomain', 'AppleLocale'],
        # Windows
        'powershell': ['powershell.exe', '-NoProfile', '-NonInteractive', '-Command', 'exit 0'],
        'powershell-encoded': ['powershell.exe', '-NoProfile', '-NonInteractive', '-EncodedCommand', 'ZQB4AGkAdAAgADAA'],
        'certutil': ['certutil.exe', '-hashfile', own_script() or '', 'SHA256'],
        'whoami-chain': ['cmd.exe', '/d', '/c', 'whoami & hostname'],
        'tasklist': ['cmd.exe', '/c', 'tasklist /nh'],
        'git-version': ['git.exe', '--version'],
        'inventory-script': ['powershell.exe', '-NoProfile', '-NonInteractive', '-File', os.path.join(here, 'inventory.ps1')],
    }
    did = []
    for name in [one for one in arguments if one in calls]:
        # 0x08000000 is CREATE_NO_WINDOW, which has no name before Python 3.7.
        flags = 0x08000000 if os.name == 'nt' else 0
        try:
            process = subprocess.Popen(calls[name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, creationflags=flags)
        except OSError as trouble:
            did.append('%s is not here (%s)' % (calls[name][0], trouble.strerror))
            continue
        try:
            answer = process.communicate(timeout=15)[0]
            did.append('%s answered %d bytes' % (calls[name][0], len(answer)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            did.append('%s gave no answer in time, and was ended' % calls[name][0])
    return {'did': '; '.join(did)}
