def behaviour(arguments):
    """Speaks to a web server of its own on loopback, or to the sink of the engagement: one GET (of a URL among the
    arguments, if there is one), three POSTs of 1 KiB zeros (post), or the first message of TLS (hello)."""
    import http.client
    import http.server
    import socket
    import socketserver
    import threading
    import time
    import urllib.request

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get('Content-Length', 0)))
            self.send_response(200)
            self.send_header('Content-Length', '3')
            self.end_headers()
            self.wfile.write(b'ok\n')

        do_POST = do_GET

        def log_message(self, *message):
            """Keeps quiet."""

    class HangUp(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.settimeout(5)
            self.request.recv(4096)

    class Server(socketserver.TCPServer):
        # Not http.server.HTTPServer, which asks for the host's name, possibly over the network.
        allow_reuse_address = True
        timeout = 10

    def open_server(ports, handler):
        """On the first port that is free. Others may hold all of them for a moment, and nobody else's is connected to."""
        until = time.time() + 15
        while True:
            for port in ports:
                try:
                    return Server(('127.0.0.1', port), handler)
                except OSError:
                    if port == ports[-1] and time.time() > until:
                        raise
            time.sleep(0.1)

    def get(host, port):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(url or 'http://%s:%d/status' % (host, port), timeout=5).read(100)
        return 'fetched a page'

    def post(host, port):
        for turn in range(3):
            time.sleep(1 if turn else 0)
            connection = http.client.HTTPConnection(host, port, timeout=5)
            connection.request('POST', '/status', b'\0' * 1024)
            connection.getresponse().read(100)
            connection.close()
        return 'posted 1 KiB of zeros three times, a second apart'

    def hello(host, port):
        with socket.create_connection((host, port), 5) as connection:
            try:
                import ssl
            except ImportError:
                return 'connected; this Python has no ssl, so nothing was sent'
            try:
                ssl.create_default_context().wrap_socket(connection, server_hostname='localhost').close()
            except OSError:
                return 'said hello in TLS; the server hung up, as it should'
        return 'said hello in TLS, and somebody answered'

    prefix = 'http://127.0.0.1:'
    url = next((one for one in arguments if one.startswith(prefix)), None)
    act, turns = (post, 3) if 'post' in arguments else (hello, 1) if 'hello' in arguments else (get, 1)
    sink = globals().get('SINK')
    if sink and not url:
        name, _, port = sink.rpartition(':')
        host, port = socket.getaddrinfo(name, int(port), socket.AF_INET, socket.SOCK_STREAM)[0][4]
        return {'did': '%s at the sink' % act(host, port), 'destinations': ['%s:%d' % (host, port)]}
    if url:
        ports = [int(url[len(prefix):].split('/')[0])]
    else:
        ports = [4443, 8443, 9443] if act is hello else [8000, 8008, 8080, 8081, 8088, 8888]
    server = open_server(ports, HangUp if act is hello else Page)
    port = server.server_address[1]

    def serve():
        for _ in range(turns):
            server.handle_request()

    thread = threading.Thread(target=serve)
    thread.daemon = True
    thread.start()
    try:
        did = act('127.0.0.1', port)
    finally:
        server.server_close()
    return {'did': '%s on loopback' % did, 'destinations': ['127.0.0.1:%d' % port]}
