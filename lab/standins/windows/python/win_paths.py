"""Windows paths for a Python on Linux: files of C: lie in a folder of this machine. Functions of os and io are replaced."""
import builtins
import errno
import io
import ntpath
import os
import posixpath
import stat as stat_bits

import channel

STDLIB = posixpath.dirname(posixpath.realpath(os.__file__))
real = {name: getattr(os, name) for name in dir(os) if callable(getattr(os, name))}
real_open = io.open
_cwd = 'C:\\'
_drive = ''
_home = ''


def install(drive, cwd, home):
    """drive: the folder that is C:; home: where Python is said to be installed."""
    global _drive, _cwd, _home
    _drive, _cwd, _home = drive, cwd, home
    for name in ('stat', 'lstat', 'listdir', 'rmdir', 'remove', 'unlink', 'chmod', 'access', 'utime', 'truncate', 'mkdir'):
        setattr(os, name, _one(real[name]))
    for name in ('rename', 'replace', 'link'):
        setattr(os, name, _two(real[name]))
    os.supports_dir_fd.update({os.stat, os.unlink, os.rmdir, os.mkdir})
    os.supports_follow_symlinks.add(os.stat)
    os.supports_fd.update({os.stat, os.listdir})
    for function in (_symlink, _readlink, _scandir, _chdir, _getcwd):
        setattr(os, function.__name__[1:], function)
    os.open = _os_open
    os.getcwdb = lambda: _getcwd().encode()
    builtins.open = io.open = _open
    ntpath.realpath = _realpath
    os.path = ntpath
    os.sep, os.altsep, os.pathsep, os.linesep, os.devnull = '\\', '/', ';', '\r\n', 'nul'


def to_real(path):
    """Where the file is here. Descriptors and the standard library's own files are left as they are."""
    if isinstance(path, int):
        return path
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.startswith(STDLIB + '/') or text == STDLIB:
        return text
    if text.startswith('\\\\?\\'):
        text = text[4:]
    if ntpath.basename(text).lower() in ('nul', 'nul:'):
        return '/dev/null'
    full = ntpath.normpath(ntpath.join(_cwd, text))
    drive, rest = ntpath.splitdrive(full)
    if drive.upper() != 'C:':
        raise FileNotFoundError(errno.ENOENT, 'No such file or directory', path)
    lib = _home + '\\Lib'
    if full.lower() == lib.lower() or full.lower().startswith(lib.lower() + '\\'):
        return STDLIB + full[len(lib):].replace('\\', '/')
    at = _drive
    for part in [part for part in rest.split('\\') if part]:
        at = posixpath.join(at, _spelling(at, part))
    return at


def to_windows(path):
    if path == STDLIB or path.startswith(STDLIB + '/'):
        return _home + '\\Lib' + path[len(STDLIB):].replace('/', '\\')
    inside = posixpath.relpath(path, _drive)
    return 'C:\\' if inside == '.' else 'C:\\' + inside.replace('/', '\\')


def _spelling(folder, name):
    try:
        real['lstat'](posixpath.join(folder, name))
        return name
    except OSError:
        pass
    try:
        return next((entry for entry in real['listdir'](folder) if entry.lower() == name.lower()), name)
    except OSError:
        return name


def _named(error, path):
    error.filename = path
    return error


def _one(function):
    def call(path='.', *args, **options):
        if options.get('dir_fd') is not None:
            return function(path, *args, **options)
        try:
            return function(to_real(path), *args, **options)
        except OSError as error:
            raise _named(error, path) from None
    call.__name__ = function.__name__
    return call


def _two(function):
    def call(source, target, **options):
        try:
            return function(to_real(source), to_real(target))
        except OSError as error:
            raise _named(error, source) from None
    call.__name__ = function.__name__
    return call


def _symlink(source, target, target_is_directory=False, **options):
    real['symlink'](to_real(ntpath.join(ntpath.dirname(ntpath.join(_cwd, target)), source)), to_real(target))


def _readlink(path, **options):
    return to_windows(real['readlink'](to_real(path)))


def _chdir(path):
    global _cwd
    found = to_real(path)
    if not stat_bits.S_ISDIR(real['stat'](found).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, 'The directory name is invalid', path)
    _cwd = to_windows(found)


def _getcwd():
    return _cwd


def _realpath(path, *, strict=False):
    text = os.fspath(path)
    if isinstance(text, bytes):
        return os.fsencode(_realpath(os.fsdecode(text)))
    try:
        return to_windows(_real_realpath(to_real(text)))
    except (OSError, ValueError):
        if strict:
            raise
        return ntpath.normpath(ntpath.join(_cwd, text))


def _real_realpath(path):
    """posixpath.realpath without os's replaced functions."""
    rest, at = [part for part in path.split('/') if part], '/'
    for _ in range(200):
        if not rest:
            break
        at = posixpath.join(at, rest.pop(0))
        try:
            linked = real['readlink'](at)
        except OSError:
            continue
        rest = [part for part in linked.split('/') if part] + rest
        at = '/' if linked.startswith('/') else posixpath.dirname(at)
    return posixpath.normpath(at)


class _Entry:
    def __init__(self, entry, folder):
        self._entry, self.name, self.path = entry, entry.name, ntpath.join(folder, entry.name)

    def __fspath__(self):
        return self.path

    def __getattr__(self, name):
        return getattr(self._entry, name)


class _Scan:
    def __init__(self, folder):
        self._folder, self._scan = os.fspath(folder), real['scandir'](to_real(folder))

    def __iter__(self):
        return self

    def __next__(self):
        return _Entry(next(self._scan), self._folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._scan.close()

    def close(self):
        self._scan.close()


def _scandir(path='.'):
    if isinstance(path, int):
        return real['scandir'](path)
    try:
        return _Scan(path)
    except OSError as error:
        raise _named(error, path) from None


def _is_new(path):
    try:
        real['lstat'](path)
        return False
    except OSError:
        return True


def _os_open(path, flags, mode=0o777, *, dir_fd=None):
    if dir_fd is not None:
        return real['open'](path, flags, mode, dir_fd=dir_fd)
    try:
        found = to_real(path)
        is_new = flags & os.O_CREAT and _is_new(found)
        descriptor = real['open'](found, flags, mode)
    except OSError as error:
        raise _named(error, path) from None
    if is_new:
        channel.tell(op='created', path=to_windows(_real_realpath(found)))
    return descriptor


def _open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    is_text = 'b' not in mode
    if is_text and encoding in (None, 'locale'):
        encoding = text_encoding
    if is_text and newline is None and mode.strip('t+') in ('w', 'x', 'a'):
        newline = '\r\n'
    if opener is not None or isinstance(file, int):
        return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    found = to_real(file)
    is_new = mode[:1] in ('w', 'x', 'a') and _is_new(found)
    try:
        opened = real_open(found, mode, buffering, encoding, errors, newline, closefd)
    except OSError as error:
        raise _named(error, file) from None
    if is_new and found != '/dev/null':
        channel.tell(op='created', path=to_windows(_real_realpath(found)))
    return opened


text_encoding = 'cp1252'
