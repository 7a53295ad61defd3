"""Runs Python for the stand-in: the machine's own interpreter, seen from inside as python.exe on Windows.

What to run comes on file descriptor 3. Not a sandbox: it is here so that payloads see what they would see there.
"""
import sys
sys.path.insert(0, __file__.rpartition('/')[0])

# Imported before anything is replaced: these decide at their import what they run on.
import getpass
import io
import marshal
import ntpath
import os
import pathlib
import platform
import runpy
import shutil
import socket
import subprocess
import tempfile
import types
import zipimport
from importlib.util import MAGIC_NUMBER

import channel
import win_children
import win_imports
import win_paths


class Environ(dict):
    """Names without regard to case; os.environ on Windows holds them in capitals."""

    def __getitem__(self, name):
        return super().__getitem__(name.upper())

    def __setitem__(self, name, value):
        super().__setitem__(name.upper(), str(value))

    def __delitem__(self, name):
        super().__delitem__(name.upper())

    def __contains__(self, name):
        return isinstance(name, str) and super().__contains__(name.upper())

    def get(self, name, default=None):
        return super().get(name.upper(), default)

    def pop(self, name, *default):
        return super().pop(name.upper(), *default)

    def setdefault(self, name, value=None):
        return super().setdefault(name.upper(), value)

    def update(self, other=(), **more):
        for name, value in dict(other, **more).items():
            self[name] = value

    def copy(self):
        return dict(self)


def shape(spec):
    home = 'C:\\Program Files\\Python311'
    # A clone gets the descriptors that it is told to, and no others.
    os.set_inheritable(3, False)
    environ = Environ()
    environ.update(spec['env'])
    os.environ.clear()
    os.environ = environ
    os.getenv = environ.get
    win_paths.install(spec['drive'], spec['cwd'], home)
    os.getpid, os.getppid = (lambda: spec['pid']), (lambda: spec['ppid'])
    os.getlogin = lambda: spec['user']
    platform._uname_cache = platform.uname_result('Windows', spec['host'], '10', '10.0.20348', 'AMD64')
    platform.platform = lambda aliased=False, terse=False: 'Windows-10-10.0.20348-SP0'
    socket.gethostname = lambda: spec['host']
    pathlib._WindowsFlavour.is_supported = True
    shutil._copyxattr = lambda *args, **options: None
    win_children.install(spec['bridge'], spec['python'], spec['door'])
    for name in ('fork', 'forkpty', 'getuid', 'geteuid', 'getgid', 'getegid', 'getgroups', 'uname', 'setsid', 'killpg',
                 'getpgid', 'setuid', 'setgid', 'chroot', 'mkfifo', 'mknod', 'openpty', 'nice', 'sysconf', 'kill'):
        if hasattr(os, name):
            delattr(os, name)
    for name in [name for name in dir(os) if name.startswith(('exec', 'spawn', 'posix_'))]:
        delattr(os, name)
    sys.executable = sys._base_executable = spec['image']
    sys.prefix = sys.base_prefix = sys.exec_prefix = sys.base_exec_prefix = home
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(newline='\r\n')
    sys.winver = '3.11'
    sys.orig_argv = spec['argv']
    sys.path[:] = [home + '\\python311.zip', home + '\\DLLs', home + '\\Lib', home + '\\Lib\\lib-dynload', home,
                   home + '\\Lib\\site-packages']
    win_imports.install()
    os.name, sys.platform = 'nt', 'win32'
    sys.modules['os.path'] = ntpath


def streams(encoding, unbuffered):
    win_paths.text_encoding = encoding
    sys.stdin.reconfigure(encoding=encoding, newline=None)
    sys.stdout.reconfigure(encoding=encoding, newline='\r\n', write_through=unbuffered)
    sys.stderr.reconfigure(encoding=encoding, newline='\r\n', errors='backslashreplace')


def usage(option):
    sys.stderr.write('unknown option %s\nusage: python.exe [option] ... [-c cmd | -m mod | file | -] [arg] ...\n' % option)
    raise SystemExit(2)


def parse(words):
    """(kind, what, remaining arguments, flags, values of -X) as python(1) takes them."""
    words, flags, settings = list(words), set(), []
    while words:
        word = words.pop(0)
        if word == '-':
            return 'stdin', None, words, flags, settings
        if word in ('-V', '--version', '-VV'):
            print('Python ' + platform.python_version())
            raise SystemExit(0)
        if not word.startswith('-'):
            return 'file', word, words, flags, settings
        if word.startswith('--'):
            usage(word)
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in 'cm':
                if not letters and not words:
                    usage('-' + letter)
                what = letters or words.pop(0)
                return {'c': 'command', 'm': 'module'}[letter], what, words, flags, settings
            if letter in 'XW':
                settings.append(letters or (words.pop(0) if words else ''))
                break
            if letter not in 'bBdEhiIOPqsSuvx':
                usage('-' + letter)
            flags.add(letter)
    return 'stdin', None, [], flags, settings


def encoding(flags, settings):
    if 'utf8' in settings or 'utf8=1' in settings:
        return 'utf-8'
    if not flags & {'E', 'I'}:
        if os.environ.get('PYTHONUTF8') == '1':
            return 'utf-8'
        if os.environ.get('PYTHONIOENCODING'):
            return os.environ['PYTHONIOENCODING'].partition(':')[0] or 'cp1252'
    return 'cp1252'


def code_of_file(path):
    try:
        with io.open(path, 'rb') as file:
            head = file.read()
    except OSError as error:
        sys.stderr.write("%s: can't open file '%s': [Errno %d] %s\n" % (
            sys.executable, os.path.abspath(path), error.errno, error.strerror))
        raise SystemExit(2)
    if head[:4] == MAGIC_NUMBER:
        return marshal.loads(head[16:])
    return compile(head, path, 'exec', dont_inherit=True)


def run(kind, what, arguments, flags):
    main = types.ModuleType('__main__')
    main.__dict__.update(__builtins__=sys.modules['builtins'], __annotations__={})
    sys.modules['__main__'] = main
    safe = bool(flags & {'I', 'P'})
    if not flags & {'E', 'I'}:
        sys.path[:0] = [entry for entry in os.environ.get('PYTHONPATH', '').split(';') if entry]
    if kind == 'module':
        sys.argv = ['-m', *arguments]
        if not safe:
            sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(what)
        return
    if kind == 'file':
        sys.argv = [what, *arguments]
        archive = archive_code(what)
        if archive is not None:
            sys.path.insert(0, os.path.abspath(what))
            main.__dict__.update(__file__=os.path.abspath(what) + '\\__main__.py', __package__='', __name__='__main__')
            exec(archive, main.__dict__)
            return
        if not safe:
            sys.path.insert(0, os.path.dirname(os.path.abspath(what)))
        main.__file__ = os.path.abspath(what)
        exec(code_of_file(what), main.__dict__)
        return
    if not safe:
        sys.path.insert(0, '')
    sys.argv = ['-c' if kind == 'command' else '-', *arguments]
    if kind == 'stdin':
        sys.argv = ['-', *arguments] if arguments else ['']
        what = sys.stdin.buffer.read().decode(win_paths.text_encoding).replace('\r\n', '\n')
    exec(compile(what, '<string>' if kind == 'command' else '<stdin>', 'exec', dont_inherit=True), main.__dict__)


def archive_code(path):
    """The code of __main__ in a zip file or folder; undefined for any other file."""
    found = win_paths.to_real(path)
    if os.path.isdir(path):
        return code_of_file(os.path.join(path, '__main__.py'))
    try:
        return zipimport.zipimporter(found).get_code('__main__')
    except zipimport.ZipImportError:
        return None


def start():
    spec = channel.receive()
    shape(spec)
    try:
        kind, what, arguments, flags, settings = parse(spec['argv'][1:])
        streams(encoding(flags, settings), 'u' in flags)
        if spec['isWindowed']:
            sys.stdin = sys.stdout = sys.stderr = None
        run(kind, what, arguments, flags)
    except SystemExit as ending:
        if isinstance(ending.code, int):
            channel.tell(op='exit', code=ending.code & 0xffffffff)
        raise


for _name in ('channel', 'win_children', 'win_imports', 'win_paths'):
    del sys.modules[_name]
sys.path.pop(0)
start()
