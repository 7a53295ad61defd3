"""A WinRM-like HTTP server whose NTLM and Kerberos nobody here wrote: MIT GSSAPI (with gss-ntlmssp), or pyspnego.

It logs one connection in per NTLM conversation and answers each SOAP envelope with "<user>\\n<envelope>", sealed over http
and plain over https, as Windows does. Accounts come from NTLM_USER_FILE (DOMAIN:user:password). Prints its port.
"""

import argparse
import base64
import hashlib
import http.server
import ssl
import sys
import threading

BOUNDARY = b"--Encrypted Boundary"
SPNEGO = "application/HTTP-SPNEGO-session-encrypted"


class Gss:
    """gss-ntlmssp; its wrap gives a 16 byte signature and then the ciphertext."""

    def __init__(self, binding):
        import gssapi

        mech = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
        bindings = None
        if binding is not None:
            bindings = gssapi.raw.ChannelBindings(application_data=binding)
        creds = gssapi.Credentials(usage="accept", mechs=[mech])
        self.context = gssapi.SecurityContext(creds=creds, usage="accept", channel_bindings=bindings)

    def step(self, token):
        return self.context.step(token)

    @property
    def complete(self):
        return self.context.complete

    @property
    def user(self):
        return str(self.context.initiator_name).rstrip("\0")

    def unseal(self, signature, ciphertext):
        return self.context.unwrap(signature + ciphertext).message

    def seal(self, plaintext):
        sealed = self.context.wrap(plaintext, True).message
        return sealed[:16], sealed[16:]


class Kerberos(Gss):
    """MIT Kerberos in SPNEGO, with the keys of KRB5_KTNAME."""

    def __init__(self, binding):
        import gssapi

        self.context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")


class Spnego:
    """pyspnego's own NTLM in Python."""

    def __init__(self, binding):
        import spnego
        import spnego.channel_bindings

        bindings = None
        if binding is not None:
            bindings = spnego.channel_bindings.GssChannelBindings(application_data=binding)
        self.context = spnego.server(protocol="ntlm", channel_bindings=bindings)

    def step(self, token):
        return self.context.step(token)

    @property
    def complete(self):
        return self.context.complete

    @property
    def user(self):
        return self.context.client_principal

    def unseal(self, signature, ciphertext):
        return self.context.unwrap_winrm(signature, ciphertext)

    def seal(self, plaintext):
        sealed = self.context.wrap_winrm(plaintext)
        return sealed.header, sealed.data


def der_fingerprint(pem_file, algorithm):
    with open(pem_file) as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    return hashlib.new(algorithm, der).digest()


class Handler(http.server.BaseHTTPRequestHandler):
    """One per connection, so its context is the connection's."""

    protocol_version = "HTTP/1.1"
    context = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        authorization = self.headers.get("Authorization")
        if authorization is not None:
            self.log_in(authorization)
        elif self.context is None or not self.context.complete:
            self.refuse()
        elif self.server.sealed:
            self.answer_sealed(body)
        else:
            self.answer(200, self.echo(body), "application/soap+xml;charset=UTF-8")

    def log_in(self, authorization):
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme != "Negotiate":
                raise ValueError("scheme " + scheme)
            if self.context is None:
                self.context = self.server.acceptor(self.server.binding)
            answer = self.context.step(base64.b64decode(token))
        except Exception as error:
            print("refused:", type(error).__name__, error, file=sys.stderr, flush=True)
            return self.refuse()
        if self.context.complete:
            return self.answer(200, b"", token=self.server.proof(answer))
        self.send_response(401, "")
        self.send_header("WWW-Authenticate", "Negotiate " + base64.b64encode(answer).decode())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def echo(self, body):
        return self.context.user.encode() + b"\n" + body

    def answer_sealed(self, body):
        head, _, rest = body.partition(b"application/octet-stream\r\n")
        length = int(head.split(b"Length=")[1].split(b"\r\n")[0])
        size = int.from_bytes(rest[:4], "little")
        plaintext = self.context.unseal(rest[4 : 4 + size], rest[4 + size : 4 + size + length])
        if rest[4 + size + length :] != BOUNDARY + b"--\r\n" or len(plaintext) != length:
            raise ValueError("the body does not end where its length says")
        signature, data = self.context.seal(self.echo(plaintext))
        content = (
            BOUNDARY
            + b"\r\n\tContent-Type: "
            + SPNEGO.encode()
            + b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % len(data)
            + BOUNDARY
            + b"\r\n\tContent-Type: application/octet-stream\r\n"
            + len(signature).to_bytes(4, "little")
            + signature
            + data
            + BOUNDARY
            + b"--\r\n"
        )
        self.answer(200, content, 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % SPNEGO)

    def answer(self, status, body, content_type=None, token=None):
        self.send_response(status, "")
        if token is not None:
            self.send_header("WWW-Authenticate", "Negotiate " + base64.b64encode(token).decode())
        if content_type is not None:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self):
        self.send_response(401, "")
        self.send_header("WWW-Authenticate", "Negotiate")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--acceptor", choices=["gss", "krb5", "pyspnego"], required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--bind", help="hash algorithm of tls-server-end-point; absent: no channel binding asked for")
    parser.add_argument("--bind-to", help="PEM file of the certificate to bind to, when it is not --cert")
    parser.add_argument("--proof", choices=["given", "absent", "wrong"], default="given", help="of the server, after a login")
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.acceptor = {"gss": Gss, "krb5": Kerberos, "pyspnego": Spnego}[options.acceptor]
    server.sealed = options.cert is None
    server.proof = {
        "given": lambda token: token,
        "absent": lambda token: None,
        "wrong": lambda token: token[:-1] + bytes([token[-1] ^ 1]),
    }[options.proof]
    server.binding = None
    if options.bind is not None:
        digest = der_fingerprint(options.bind_to or options.cert, options.bind)
        server.binding = b"tls-server-end-point:" + digest
    if options.cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    # Ends with whoever started it.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
