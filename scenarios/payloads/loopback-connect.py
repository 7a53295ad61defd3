def behaviour(arguments):
    """Connects once to a listener of its own on loopback; nothing is sent."""
    import socket
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    port = listener.getsockname()[1]
    client = socket.create_connection(('127.0.0.1', port), 5)
    client.close()
    listener.close()
    return {'did': 'connected to an own loopback port', 'destinations': ['127.0.0.1:%d' % port]}
