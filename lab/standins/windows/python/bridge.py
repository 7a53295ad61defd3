"""Joins this process's standard streams to a program of the stand-in: bytes over its door, a frame each.

A frame: one letter, the length in four bytes, the bytes. I stdin, Z its end; O stdout, E stderr, X the exit code.
"""
import os
import socket
import struct
import sys
import threading


def option(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def opening():
    if option('--ticket'):
        return 'ticket ' + option('--ticket')
    # From sshd: which account, and what it asked for (sshd(8), ForceCommand).
    with open(option('--ssh-secret')) as file:
        secret = file.read().strip()
    address = os.environ.get('SSH_CONNECTION', '127.0.0.1 0').split()
    command = os.environ.get('SSH_ORIGINAL_COMMAND', '')
    return 'ssh %s %s %s %s %s' % (secret, option('--account'), address[0], address[1], command.encode().hex() or '-')


def send(door, kind, data=b''):
    door.sendall(kind + struct.pack('<I', len(data)) + data)


def feed(door):
    try:
        while True:
            data = os.read(0, 65536)
            if not data:
                return send(door, b'Z')
            send(door, b'I', data)
    except OSError:
        return None


def write(descriptor, data):
    while data:
        data = data[os.write(descriptor, data):]


def main():
    door = socket.socket(socket.AF_UNIX)
    door.connect(option('--door'))
    door.sendall(opening().encode() + b'\n')
    threading.Thread(target=feed, args=(door,), daemon=True).start()
    source = door.makefile('rb')
    while True:
        head = source.read(5)
        if len(head) < 5:
            os._exit(1)
        data = source.read(struct.unpack('<I', head[1:])[0])
        if head[:1] == b'X':
            # sshd and the shell see eight bits; who needs all of them asks the stand-in.
            os._exit(struct.unpack('<I', data)[0] & 0xff)
        try:
            write(1 if head[:1] == b'O' else 2, data)
        except OSError:
            os._exit(1)


main()
