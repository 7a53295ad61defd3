"""Imports for a Python in the stand-in: modules of C: by Windows paths, and the standard library loaded as what it is."""
import importlib._bootstrap_external as external
import importlib.machinery as machinery
import importlib.util
import ntpath
import os
import sys

import win_paths

# What there is on Linux only.
ABSENT = ('pwd', 'grp', 'fcntl', 'termios', 'resource', 'pty', 'tty', 'syslog', 'spwd', 'crypt', 'nis', 'posix', 'readline')


class _AsLinux:
    """Modules of the standard library ask at their beginning what they run on, and then import what is not here."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        kept = os.name, sys.platform
        os.name, sys.platform = 'posix', 'linux'
        try:
            self._loader.exec_module(module)
        finally:
            os.name, sys.platform = kept


class _OnDrive:
    """A source file of C:, whose code says the Windows path as its file name."""

    def __init__(self, loader, origin):
        self._loader, self._origin = loader, origin

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return None

    def get_filename(self, name=None):
        return self._origin

    def get_code(self, name):
        source = getattr(self._loader, 'get_source', lambda _: None)(name)
        if source is None:
            return self._loader.get_code(name)
        return compile(source, self._origin, 'exec', dont_inherit=True)

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ABSENT:
            raise ModuleNotFoundError('No module named %r' % name, name=name)
        return None


class Finder:
    def find_spec(self, name, path=None, target=None):
        for entry in sys.path if path is None else path:
            try:
                found = win_paths.to_real(entry or os.getcwd())
            except OSError:
                continue
            spec = machinery.PathFinder.find_spec(name, [found])
            if spec is not None:
                return self._shaped(spec)
        return None

    def _shaped(self, spec):
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations = [win_paths.to_windows(one) for one in spec.submodule_search_locations]
        if spec.origin is None or not spec.has_location:
            return spec
        if isinstance(spec.loader, machinery.ExtensionFileLoader):
            return spec
        is_stdlib = spec.origin.startswith(win_paths.STDLIB + '/')
        spec.origin = win_paths.to_windows(spec.origin)
        if spec.cached is not None:
            spec.cached = win_paths.to_windows(spec.cached)
        spec.loader = _AsLinux(spec.loader) if is_stdlib else _OnDrive(spec.loader, spec.origin)
        return spec

    def invalidate_caches(self):
        machinery.PathFinder.invalidate_caches()


class _Through:
    """A module whose functions take Windows paths too; those that begin with a slash are this machine's."""

    def __init__(self, module, replaced):
        self._module, self._replaced = module, replaced

    def __getattr__(self, name):
        found = getattr(self._module, name)
        through = self._replaced.get(name)
        if through is None:
            return found
        return lambda path, *args, **options: (
            found if isinstance(path, str) and path.startswith('/') else through)(path, *args, **options)


def _cache_from_source(path, debug_override=None, *, optimization=None):
    folder, name = ntpath.split(os.fspath(path))
    stem = ntpath.splitext(name)[0]
    suffix = '' if optimization in (None, '') else '.opt-%s' % optimization
    return ntpath.join(folder, '__pycache__', '%s.%s%s.pyc' % (stem, sys.implementation.cache_tag, suffix))


def install():
    kept_finders = [finder for finder in sys.meta_path if finder is not machinery.PathFinder]
    sys.meta_path[:] = [Absent(), *kept_finders, Finder()]
    functions = {name: getattr(os, name) for name in ('stat', 'open', 'replace', 'unlink', 'mkdir', 'listdir')}
    external._os = _Through(external._os, functions)
    opened = lambda path, *mode: open(path, *(mode or ('rb',)))
    external._io = _Through(external._io, {'open_code': opened, 'FileIO': lambda file, mode='r': (
        external._io._module.FileIO(file, mode) if isinstance(file, int) else open(file, mode + 'b'))})
    importlib.util.cache_from_source = _cache_from_source
    for name in ABSENT:
        sys.modules.pop(name, None)
