def behaviour(arguments):
    """Imports the inert package from wherever PYTHONPATH says."""
    import inert_package
    return {'did': 'imported %s, which does nothing' % inert_package.NAME}
