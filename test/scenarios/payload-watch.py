"""Runs a payload (payload-watch.py FILE ARGUMENT...) and says on descriptor 3, a JSON line each, what it did that leaves the
process: audit events of Python (PEP 578). Needs Python 3.8."""
import json
import os
import sys

SAID = {
    'socket.bind', 'socket.connect', 'socket.sendto', 'socket.sendmsg', 'socket.getaddrinfo', 'socket.gethostbyname',
    'socket.gethostbyaddr', 'socket.getnameinfo', 'subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn',
    'pty.spawn', 'os.remove', 'os.rename', 'os.rmdir', 'os.mkdir', 'os.chmod', 'os.chown', 'os.link', 'os.symlink', 'os.kill',
    'os.putenv', 'os.truncate', 'shutil.rmtree', 'ctypes.dlopen',
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value if isinstance(value, (str, int, float, type(None))) else type(value).__name__


def say(event, arguments):
    if event == 'open':
        path, mode, flags = arguments
        if not isinstance(flags, int) or not flags & WRITES:
            return
    elif event not in SAID:
        return
    os.write(3, (json.dumps([event, plain(arguments)]) + '\n').encode())


sys.dont_write_bytecode = True
del sys.argv[0]
with open(sys.argv[0], 'rb') as file:
    code = compile(file.read(), sys.argv[0], 'exec')
sys.addaudithook(say)
exec(code, {'__name__': '__main__', '__file__': sys.argv[0]})
