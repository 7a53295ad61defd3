"""An interactive shell of the host: runs it on a terminal of its own and logs each line that is typed to it, as ESXi's shell does.

What was typed goes on as soon as somebody on the shell's terminal waits for input, and whoever waits is the one it was for: the
shell, and then it is logged, or a program that runs in it, and then it is not.
"""
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import sys
import termios
import time
import tty

from typed_line import TypedLine

PROC = "/run/lab/proc"
# Numbers of read, and of poll, select and their kin (syscalls(2)); where others apply, or may not be asked for, everybody is
# taken to wait.
READ, OTHERS = {"x86_64": ("0", {"7", "23", "270", "271"}), "aarch64": ("63", {"72", "73"})}.get(
    platform.machine(), (None, set())
)
AT_ONCE = b"\x03\x1a\x1c"  # interrupt, suspend, quit: for a program that does not look
LINE_ENDS = b"\r\n\x04"
LOOK_AGAIN = (0.001, 0.05)  # seconds; less and less often while nobody waits
STDIN, STDOUT = 0, 1


def say(program, text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect("/dev/log")
            sender.send(program.encode() + b": " + text)
        except OSError:
            pass  # as syslog(3)


def sleeps(pid, device):
    """How often the process has gone to sleep (proc(5)); None when it does not wait for input of this terminal now."""
    if READ is None:
        return time.monotonic_ns()
    own = "%s/%d/" % (PROC, pid)
    try:
        # In this order: should it fall asleep in between, the count is an old one, and it is looked at again.
        with open(own + "status") as status, open(own + "syscall") as syscall:
            said = dict(line.split(":", 1) for line in status)
            call, argument, *_ = syscall.read().split() + ["", ""]
        if not said["State"].strip().startswith("S"):
            return None
        if call in OTHERS or (call == READ and os.stat(own + "fd/%d" % int(argument, 16)).st_rdev == device):
            return int(said["voluntary_ctxt_switches"])
    except PermissionError:
        return time.monotonic_ns()
    except (OSError, KeyError):
        pass
    return None


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
    def __init__(self, user, shell, terminal, device, signals):
        self.user, self.shell, self.terminal, self.device, self.signals = user, shell, terminal, device, signals
        self.line = TypedLine()
        self.pending = bytearray()
        self.before = {}
        self.pause = LOOK_AGAIN[0]

    def log(self, line):
        if line.strip():
            say("<14>shell[%d]" % self.shell, b"[%s]: %s" % (self.user.encode(), line))

    def readers(self):
        """Who waits for input: by process id, how often it has slept. All of the terminal's foreground group may."""
        try:
            group = os.tcgetpgrp(self.terminal)
        except OSError:
            return {}
        pids = [self.shell] if group == self.shell else members(group)
        return {pid: count for pid in pids for count in [sleeps(pid, self.device)] if count is not None}

    def forward(self):
        """Passes on what somebody waits for, a line at a time."""
        while self.pending:
            if self.pending[0] in AT_ONCE:
                os.write(self.terminal, bytes(self.pending[:1]))
                del self.pending[:1]
                self.line.begin()
                continue
            # Whoever got the line before has not taken it yet while it sleeps the same sleep: the terminal delivers in its own time.
            readers = self.readers()
            if not readers or all(self.before.get(pid) == count for pid, count in readers.items()):
                self.pause = min(self.pause * 2, LOOK_AGAIN[1])
                return
            self.pause = LOOK_AGAIN[0]
            part = self.part()
            try:
                part = part[: os.write(self.terminal, part)]
            except BlockingIOError:
                return
            del self.pending[: len(part)]
            self.before = readers if part[-1] in LINE_ENDS else {}
            if self.shell in readers:
                for line in filter(None, map(self.line.key, part)):
                    self.log(line)

    def part(self):
        for index, byte in enumerate(self.pending):
            if byte in LINE_ENDS:
                return bytes(self.pending[: index + 1])
            if byte in AT_ONCE:
                return bytes(self.pending[:index])
        return bytes(self.pending)

    def run(self):
        os.set_blocking(self.terminal, False)
        over = False
        while True:
            timeout = 0 if over else self.pause if self.pending else None
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
    terminal, slave = os.openpty()
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
    shell = os.fork()
    if shell == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.execv("/bin/sh", ["-sh"])
    device = os.fstat(slave).st_rdev
    os.close(slave)
    tty.setraw(STDIN, termios.TCSANOW)
    resize = lambda *_: fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(STDIN, termios.TIOCGWINSZ, bytes(8)))
    signal.signal(signal.SIGWINCH, resize)
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        Relay(user, shell, terminal, device, signals).run()
    finally:
        say(daemon, ("Session closed for '%s' %s" % (user, where)).encode())
        os.close(terminal)
        _, status = os.waitpid(shell, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main()
