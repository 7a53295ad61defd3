def behaviour(arguments):
    """Connects once to each of as many own listeners on loopback as a number among the arguments says, or to one; or
    once to the sink of the engagement."""
    import socket
    sink = globals().get('SINK')
    if sink:
        name, _, port = sink.rpartition(':')
        connection = socket.create_connection((name, int(port)), 5)
        address = connection.getpeername()
        connection.close()
        return {'did': 'connected to the sink; nothing was sent', 'destinations': ['%s:%d' % address[:2]]}
    count = next((int(one) for one in arguments if one in ('2', '3', '4')), 1)
    destinations = []
    for _ in range(count):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.bind(('127.0.0.1', 0))
            listener.listen(1)
            address = listener.getsockname()
            socket.create_connection(address, 5).close()
            destinations.append('%s:%d' % address)
        finally:
            listener.close()
    return {'did': 'connected to %d own loopback ports; nothing was sent' % count, 'destinations': destinations}
