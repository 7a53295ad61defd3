"""Child processes and connections of a Python in the stand-in: programs are the stand-in's, started by it."""
import errno
import os
import socket
import subprocess

import channel
import win_paths

_Real = subprocess.Popen


def install(bridge, python, door):
    class Popen(_Real):
        """Starts a program of the stand-in. What the caller holds is a bridge to it, a process of this machine."""

        def __init__(self, args, bufsize=-1, executable=None, stdin=None, stdout=None, stderr=None, preexec_fn=None,
                     close_fds=True, shell=False, cwd=None, env=None, universal_newlines=None, startupinfo=None,
                     creationflags=0, **options):
            if isinstance(args, (str, bytes, os.PathLike)):
                line = os.fsdecode(args)
            else:
                line = subprocess.list2cmdline(list(args))
            if shell:
                line = '%s /c "%s"' % (os.environ.get('COMSPEC', 'cmd.exe'), line)
            variables = os.environ if env is None else env
            answer = channel.ask(
                op='start', line=line, cwd=os.getcwd() if cwd is None else os.path.abspath(cwd),
                image=None if executable is None else os.path.abspath(executable),
                env={str(name): str(value) for name, value in variables.items()})
            if 'ticket' not in answer:
                raise FileNotFoundError(errno.ENOENT, 'The system cannot find the file specified')
            self._ticket = answer['ticket']
            super().__init__(
                [python, '-I', '-S', bridge, '--door', door, '--ticket', self._ticket], bufsize, None, stdin, stdout,
                stderr, None, close_fds, False, '/', {}, universal_newlines, **options)
            self.args = args

        def _handle_exitstatus(self, *args, **options):
            super()._handle_exitstatus(*args, **options)
            if self.returncode is not None and self.returncode >= 0:
                self.returncode = channel.ask(op='code', ticket=self._ticket)['code']

        def send_signal(self, signal):
            if self.poll() is None:
                win_paths.real['kill'](self.pid, signal)

    subprocess.Popen = Popen
    os.system = lambda command: Popen(command, shell=True).wait()
    _watch_connections()


def _watch_connections():
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def tell(self):
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return
        try:
            here, there = self.getsockname(), self.getpeername()
        except OSError:
            return
        kind = 'udp' if self.type == socket.SOCK_DGRAM else 'tcp'
        channel.tell(op='connected', protocol=kind, sourceIp=here[0], sourcePort=here[1],
                     destinationIp=there[0], destinationPort=there[1])

    def patched(self, address):
        connect(self, address)
        tell(self)

    def patched_ex(self, address):
        code = connect_ex(self, address)
        if code == 0:
            tell(self)
        return code

    socket.socket.connect, socket.socket.connect_ex = patched, patched_ex
