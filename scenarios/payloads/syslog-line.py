def behaviour(arguments):
    """Writes one line with the marker through the host's own syslog."""
    import syslog
    syslog.openlog('inventory-check', syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_INFO, 'check %s' % arguments[0])
    return {'did': 'wrote one line to syslog'}
