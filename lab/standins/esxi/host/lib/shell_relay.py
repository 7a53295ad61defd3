"""An interactive shell of the host: runs it on a terminal of its own and logs each line that is typed to it, as ESXi's shell does.

What was typed goes on as soon as somebody on the shell's terminal waits for input, and whoever waits is the one it was for: the
shell, and then it is logged, or a program that runs in it, and then it is not.
"""
import errno
import fcntl
import os
import platform
import pty
import select
import signal
import socket
import sys
import termios
import time
import tty

from typed_line import TypedLine

PROC = "/run/lab/proc"
# Numbers of read, poll, select and their kin (syscalls(2)); where others apply, everybody is taken to wait.
WAITING = {"x86_64": {"0", "7", "23", "270", "271"}, "aarch64": {"63", "72", "73"}}.get(platform.machine())
AT_ONCE = b"\x03\x1a\x1c"  # interrupt, suspend, quit: for a program that does not look
LOOK_AGAIN = 0.005
STDIN, STDOUT = 0, 1


def say(program, text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect("/dev/log")
            sender.send(program.encode() + b": " + text)
        except OSError:
            pass  # as syslog(3)


def waits(pid):
    if WAITING is None:
        return True
    try:
        with open("%s/%d/syscall" % (PROC, pid)) as state:
            return state.read().split()[0] in WAITING
    except OSError:
        return False


def members(group):
    """Processes of a process group; field 5 of /proc/PID/stat."""
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                with open("%s/%s/stat" % (PROC, name)) as stat:
                    if int(stat.read().rpartition(")")[2].split()[2]) == group:
                        yield int(name)
            except (OSError, IndexError):
                pass


class Relay:
    def __init__(self, user, shell, terminal, signals):
        self.user, self.shell, self.terminal, self.signals = user, shell, terminal, signals
        self.line = TypedLine()
        self.pending = bytearray()

    def log(self, line):
        if line.strip():
            say("<14>shell[%d]" % self.shell, b"[%s]: %s" % (self.user.encode(), line))

    def reader(self):
        """Who waits for input: the shell, a program, or nobody."""
        try:
            group = os.tcgetpgrp(self.terminal)
        except OSError:
            return "program"
        if group == self.shell:
            return "shell" if waits(group) else None
        return "program" if any(map(waits, members(group))) else None

    def forward(self):
        """Passes on what somebody waits for, up to the end of a line."""
        while self.pending:
            if self.pending[0] in AT_ONCE:
                os.write(self.terminal, bytes(self.pending[:1]))
                del self.pending[:1]
                self.line.begin()
                continue
            reader = self.reader()
            if reader is None:
                return
            part = self.part()
            try:
                part = part[: os.write(self.terminal, part)]
            except BlockingIOError:
                return
            del self.pending[: len(part)]
            if reader == "shell":
                for line in filter(None, map(self.line.key, part)):
                    self.log(line)
            if part[-1] in b"\r\n":
                self.wait_until_taken(reader)

    def part(self):
        for index, byte in enumerate(self.pending):
            if byte in b"\r\n":
                return bytes(self.pending[: index + 1])
            if byte in AT_ONCE:
                return bytes(self.pending[:index])
        return bytes(self.pending)

    def wait_until_taken(self, reader):
        """Until whoever waited does not any more, or has begun to wait again; a look too early would take it for waiting still."""
        until = time.monotonic() + 0.02
        while time.monotonic() < until and self.reader() == reader:
            time.sleep(0.001)

    def run(self):
        os.set_blocking(self.terminal, False)
        over = False
        while True:
            timeout = 0 if over else LOOK_AGAIN if self.pending else None
            ready, _, _ = select.select([STDIN, self.terminal, self.signals], [], [], timeout)
            if self.signals in ready:
                over = over or signal.SIGCHLD in os.read(self.signals, 4096)
            output = read(self.terminal) if self.terminal in ready else None
            if output:
                self.line.shown(output)
                write_all(STDOUT, output)
            elif over or output == b"":
                return
            if STDIN in ready:
                typed = read(STDIN)
                if typed == b"":
                    return
                self.pending += typed or b""
            self.forward()


def read(fd):
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data) :]


def main():
    user = os.environ.get("USER", "root")
    name = os.ttyname(STDIN).rpartition("/")[2]
    where = "on /dev/char/pty/t%s" % name
    daemon = "<38>sshd[%d]" % os.getppid()
    say(daemon, ("Session opened for '%s' %s" % (user, where)).encode())
    modes = termios.tcgetattr(STDIN)
    size = fcntl.ioctl(STDIN, termios.TIOCGWINSZ, bytes(8))
    # Wakes the relay when the shell has ended: what it left running on its terminal does not keep the session.
    signals, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    shell, terminal = pty.fork()
    if shell == 0:
        termios.tcsetattr(STDIN, termios.TCSANOW, modes)
        fcntl.ioctl(STDIN, termios.TIOCSWINSZ, size)
        os.execv("/bin/sh", ["-sh"])
    tty.setraw(STDIN, termios.TCSANOW)
    resize = lambda *_: fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(STDIN, termios.TIOCGWINSZ, bytes(8)))
    signal.signal(signal.SIGWINCH, resize)
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        Relay(user, shell, terminal, signals).run()
    finally:
        say(daemon, ("Session closed for '%s' %s" % (user, where)).encode())
        os.close(terminal)
        _, status = os.waitpid(shell, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main()
