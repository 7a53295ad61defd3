"""The receipt: two JSON lines that prove a payload ran and say what it was.

The runner puts RECEIPT_PATH in front of this file, a behaviour behind it (a function called
behaviour), and runs main() last. Standard library, Python 3.5 and later.
"""
import getpass
import hashlib
import json
import os
import platform
import re
import sys
import time


def read_text(path):
    try:
        with open(path, 'rb') as file:
            return file.read().decode('utf-8', 'replace')
    except OSError:
        return None


def link_target(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def own_script():
    if getattr(sys, 'frozen', False):
        return sys.executable
    script = globals().get('__file__')
    if not script or script.startswith('<'):
        return None
    # In a zipapp __file__ lies inside the archive; the archive is what was started.
    inside = os.path.dirname(os.path.abspath(script))
    return inside if os.path.isfile(inside) else os.path.abspath(script)


def file_hash(path):
    try:
        with open(path, 'rb') as file:
            return hashlib.sha256(file.read()).hexdigest()
    except (OSError, TypeError):
        return None


def account():
    try:
        import pwd
        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()


def command_line():
    """As the platform tells it, or (Python 3.10) as the interpreter was given it; else what is left of it."""
    text = read_text('/proc/self/cmdline')
    if text:
        return {'argv': text.rstrip('\0').split('\0')}
    if hasattr(sys, 'orig_argv'):
        return {'argv': list(sys.orig_argv)}
    return {'argv': [sys.executable] + sys.argv, 'partialArgv': True}


def started_at():
    """When this process was started, by the kernel where it tells (proc(5)); a program's first line runs much later."""
    try:
        with open('/proc/self/stat', 'rb') as file:
            ticks = int(file.read().rsplit(b')', 1)[1].split()[19])
        # Told in hundredths of a second since the machine started, by CLOCK_BOOTTIME, which Python has no name for before 3.7.
        age = time.clock_gettime(7) - (ticks + 0.5) / os.sysconf('SC_CLK_TCK')
    except (OSError, ValueError, IndexError):
        age = 0
    return time.time() - (age if 0 < age < 60 else 0)


def utc(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds)) + '.%03dZ' % int(seconds % 1 * 1000)


def write_line(kind, mode, at, **more):
    parent = os.getppid() if hasattr(os, 'getppid') else 0
    line = {
        'receipt': kind,
        'marker': next((a for a in sys.argv if re.match('^[a-z][a-z0-9]{19,31}$', a)), ''),
        'pid': os.getpid(),
        'ppid': parent,
        'parentExecutable': link_target('/proc/%d/exe' % parent),
        'parentName': (read_text('/proc/%d/comm' % parent) or '').strip() or None,
        'executable': link_target('/proc/self/exe') or os.path.realpath(sys.executable),
        'script': own_script(),
        'cwd': os.getcwd(),
        'user': account(),
        'host': platform.node(),
        'time': utc(at),
        'version': platform.python_version(),
        'sha256': file_hash(own_script()),
    }
    line.update(command_line())
    line.update(more)
    text = json.dumps({key: value for key, value in line.items() if value is not None}, sort_keys=True)
    # 'x' refuses a file that is there already: a payload that was started twice stops here.
    with open(RECEIPT_PATH, mode) as file:
        file.write(text + '\n')
        file.flush()
        os.fsync(file.fileno())
    # A program without a console has no standard output.
    if sys.stdout:
        print(text)
        sys.stdout.flush()


def main():
    write_line('started', 'x', started_at())
    act = globals().get('behaviour')
    result = act(sys.argv[1:]) if act else {'did': 'nothing but this receipt'}
    write_line('finished', 'a', time.time(), **result)
