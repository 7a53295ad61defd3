def behaviour(arguments):
    """Waits two seconds, as something does that is to outlive its session."""
    import time
    time.sleep(2)
    return {'did': 'waited two seconds'}
