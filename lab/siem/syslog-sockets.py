"""Listens on unix datagram sockets, which Node cannot, and prints each datagram as one line of JSON.

Arguments: pairs HOST SOCKET. The kernel tells who sent a datagram (SCM_CREDENTIALS, unix(7)). Ends when its standard input ends, so it never outlives the SIEM.
"""
import base64
import json
import os
import selectors
import socket
import struct
import sys
import time

CREDENTIALS = struct.Struct("3i")


def listen(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    sock.bind(path)
    os.chmod(path, 0o666)
    return sock


def sender(ancillary):
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) >= CREDENTIALS.size:
            pid, uid, _ = CREDENTIALS.unpack(data[: CREDENTIALS.size])
            return {"pid": pid, "uid": uid}
    return {}


def main(pairs):
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.buffer, selectors.EVENT_READ, None)
    for host, path in zip(pairs[::2], pairs[1::2]):
        selector.register(listen(path), selectors.EVENT_READ, host)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                if not os.read(sys.stdin.fileno(), 4096):
                    return
                continue
            data, ancillary, _, _ = key.fileobj.recvmsg(65536, socket.CMSG_SPACE(CREDENTIALS.size))
            line = {"host": key.data, "timeMs": int(time.time() * 1000), **sender(ancillary)}
            line["data"] = base64.b64encode(data).decode("ascii")
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


try:
    main(sys.argv[1:])
except (BrokenPipeError, KeyboardInterrupt):
    pass
finally:
    for path in sys.argv[2::2]:
        try:
            os.unlink(path)
        except OSError:
            pass
