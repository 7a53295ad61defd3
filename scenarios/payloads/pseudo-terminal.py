def behaviour(arguments):
    """Starts /bin/true under a pseudo-terminal, the way intruders give a shell without a terminal a prompt."""
    try:
        import pty
        status = pty.spawn(['/bin/true'])
    except (ImportError, OSError) as trouble:
        return {'did': 'started nothing: no pseudo-terminal was to be had (%s)' % trouble}
    return {'did': 'started /bin/true under a pseudo-terminal; it ended with status %s' % status}
