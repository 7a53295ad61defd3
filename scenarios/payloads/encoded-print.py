def behaviour(arguments):
    """Unwraps and runs a program that is one print of one word."""
    import base64
    exec(base64.b64decode('cHJpbnQoImhlbGxvIik='))
    return {'did': 'ran a program that was wrapped in Base64; it printed hello'}
