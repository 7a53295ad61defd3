"""What a program sees of the Windows stand-in, as JSON."""
import asyncio
import getpass
import json
import os
import platform
import py_compile
import shutil
import socket
import subprocess
import sys
import tempfile
import zipapp


def name_of_error(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return None


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)


def output(*argv):
    return json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)


def zip_application():
    os.mkdir('app')
    write('app/__main__.py', 'import inner, json, sys; print(json.dumps([__file__, inner.__file__, sys.argv[1]]))\n')
    write('app/inner.py', '')
    zipapp.create_archive('app', 'app.pyz')
    return output('python.exe', 'app.pyz', 'm')


def module():
    write('inner_module.py', 'import json, sys; print(json.dumps([__file__, sys.argv[1]]))\n')
    return output('python.exe', '-m', 'inner_module', 'x')


def compiled():
    write('source.py', 'print(\'"compiled"\')\n')
    py_compile.compile('source.py', 'C:\\Users\\dana\\made.pyc')
    os.remove('source.py')
    return output('python.exe', 'made.pyc')


def link():
    os.symlink('C:\\Users\\dana\\see.py', 'link.py')
    return [os.path.abspath('LINK.py').replace('LINK', 'link'), os.path.islink('link.py') and os.path.samefile('link.py', 'see.py')]


def tree():
    os.makedirs('tree/a/b')
    write('tree/a/b/c.txt', '1')
    shutil.copytree('tree', 'copy')
    found = [os.path.join(folder, name) for folder, _, names in os.walk('copy') for name in names]
    assert found == ['copy\\a\\b\\c.txt'], found
    shutil.rmtree('tree')
    shutil.rmtree('C:/users/DANA/copy')
    return [name for name in os.listdir() if name in ('tree', 'copy')]


async def one():
    return 1


def connect():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        socket.create_connection(server.getsockname()).close()


def text():
    write('text.txt', 'x\n')
    with open('text.txt', 'rb') as file:
        return file.read().decode()


connect()
child = subprocess.run(['whoami.exe'], stdout=subprocess.PIPE)
print(json.dumps({
    'argv': sys.argv,
    'orig': sys.orig_argv,
    'file': os.path.abspath(__file__),
    'executable': sys.executable,
    'cwd': os.getcwd(),
    'pid': os.getpid(),
    'ppid': os.getppid(),
    'platform': [os.name, sys.platform, os.sep, platform.node(), platform.system(), getpass.getuser()],
    'posix': name_of_error(lambda: __import__('pwd')),
    'passwd': name_of_error(lambda: open('/etc/passwd')),
    'proc': name_of_error(lambda: open('/proc/self/cmdline')),
    'temp': tempfile.gettempdir(),
    'text': text(),
    'child': [child.stdout.decode(), child.returncode],
    'exit': subprocess.run([sys.executable, '-c', 'raise SystemExit(300)']).returncode,
    'shell': os.system('exit 5'),
    'missing': name_of_error(lambda: subprocess.run(['nosuch.exe'])),
    'zipapp': zip_application(),
    'module': module(),
    'compiled': compiled(),
    'link': link(),
    'tree': tree(),
    'asyncio': asyncio.run(one()),
}))
