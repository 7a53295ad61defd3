def behaviour(arguments):
    """Has bash run curl, which fetches one page from a web server of this script on loopback and drops it."""
    import http.server
    import socketserver
    import subprocess
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Length', '3')
            self.end_headers()
            self.wfile.write(b'ok\n')

        def log_message(self, *message):
            """Keeps quiet."""

    class Server(socketserver.TCPServer):
        # Not http.server.HTTPServer, which asks for the host's name, possibly over the network.
        timeout = 10

    server = Server(('127.0.0.1', 0), Page)
    thread = threading.Thread(target=server.handle_request)
    thread.daemon = True
    thread.start()
    url = 'http://127.0.0.1:%d/stage' % server.server_address[1]
    try:
        status = subprocess.call(['/bin/bash', '-c', 'curl --noproxy "*" --silent --max-time 5 --output /dev/null ' + url],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as trouble:
        return {'did': 'started nothing: bash is not here (%s)' % trouble.strerror}
    finally:
        server.server_close()
    return {'did': 'had bash fetch a page with curl from loopback; it ended with status %d' % status}
