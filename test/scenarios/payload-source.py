"""Looks through the source of composed payloads, which come as JSON {name: source} on standard input; prints JSON
{name: [what is wrong]}. What is not on these lists is wrong. Needs Python 3.9 (ast.unparse)."""
import ast
import base64
import json
import sys

LATER_SYNTAX = tuple(getattr(ast, name) for name in (
    'JoinedStr', 'AnnAssign', 'NamedExpr', 'AsyncFunctionDef', 'Await', 'Match') if hasattr(ast, name))
MODULES = {
    'base64', 'getpass', 'hashlib', 'http.client', 'http.server', 'inert_package', 'io', 'json', 'os', 'platform', 'pty', 'pwd',
    're', 'socket', 'socketserver', 'ssl', 'subprocess', 'sys', 'syslog', 'threading', 'time', 'unittest', 'urllib.request',
}
ROOTS = {module.split('.')[0] for module in MODULES}
# Calls of functions of a module, by their whole name; `open`, `exec` and what starts programs are looked at more closely.
CALLS = {
    'getpass.getuser', 'getattr', 'globals', 'globals().get', 'hashlib.sha256', 'hasattr', 'http.client.HTTPConnection', 'int',
    'io.StringIO', 'isinstance', 'json.dumps', 'len', 'list', 'next', 'open', 'os.fsync', 'os.getcwd', 'os.getpid', 'os.getppid',
    'os.getuid', 'os.path.abspath', 'os.path.dirname', 'os.path.isfile', 'os.path.join', 'os.path.realpath', 'os.readlink',
    'os.sysconf', 'platform.node', 'platform.python_version', 'print', 'pty.spawn', 'pwd.getpwuid', 'range', 're.match',
    'socket.create_connection', 'socket.getaddrinfo', 'socket.socket', 'ssl.create_default_context', 'subprocess.Popen', 'subprocess.call', 'sum',
    'sys.argv.index', 'sys.stdout.flush', 'syslog.openlog', 'syslog.syslog', 'threading.Thread', 'time.clock_gettime',
    'time.gmtime', 'time.sleep', 'time.strftime', 'time.time', 'unittest.TextTestRunner',
    'unittest.defaultTestLoader.loadTestsFromTestCase', 'urllib.request.ProxyHandler', 'urllib.request.build_opener', 'exec',
    'base64.b64decode',
}
# Methods of values that such calls returned, and functions that a payload defines itself.
METHODS = {
    'accept', 'append', 'assertEqual', 'bind', 'clock_gettime', 'close', 'communicate', 'decode', 'end_headers', 'fileno', 'flush',
    'get', 'getpeername', 'getresponse', 'getsockname', 'handle_request', 'hexdigest', 'items', 'join', 'kill', 'listen', 'loads', 'open', 'read',
    'recv', 'replace', 'request', 'rpartition', 'rsplit', 'rstrip', 'run', 'send_header', 'send_response', 'server_close', 'settimeout', 'split',
    'start', 'startswith', 'strip', 'update', 'wrap_socket', 'write',
}
# What is looked up in a module and not called.
CONSTANTS = {
    'http.client', 'http.server', 'http.server.BaseHTTPRequestHandler', 'inert_package.NAME', 'os.name', 'os.path',
    'socket.AF_INET', 'socket.SOCK_STREAM', 'socketserver.BaseRequestHandler', 'socketserver.TCPServer', 'subprocess.DEVNULL',
    'subprocess.PIPE', 'subprocess.TimeoutExpired', 'sys.argv', 'sys.executable', 'sys.orig_argv', 'sys.stdout', 'syslog.LOG_INFO', 'syslog.LOG_PID',
    'syslog.LOG_USER', 'unittest.TestCase', 'unittest.defaultTestLoader', 'urllib.request',
}
PROGRAMS = {
    "['esxcli', 'system', 'version', 'get']",
    "['vim-cmd', 'vmsvc/getallvms']",
    "['/usr/bin/osascript', '-e', 'return 1']",
    "['/bin/bash', '-c', 'git status --short']",
    "['/usr/bin/sw_vers']",
    "['/usr/bin/defaults', 'read', 'NSGlobalDomain', 'AppleLocale']",
    "['powershell.exe', '-NoProfile', '-NonInteractive', '-Command', 'exit 0']",
    "['powershell.exe', '-NoProfile', '-NonInteractive', '-EncodedCommand', 'ZQB4AGkAdAAgADAA']",
    "['certutil.exe', '-hashfile', own_script() or '', 'SHA256']",
    "['cmd.exe', '/d', '/c', 'whoami & hostname']",
    "['cmd.exe', '/c', 'tasklist /nh']",
    "['git.exe', '--version']",
    "['powershell.exe', '-NoProfile', '-NonInteractive', '-File', os.path.join(here, 'inventory.ps1')]",
    "['/bin/bash', '-c', 'curl --noproxy \"*\" --silent --max-time 5 --output /dev/null ' + url]",
}


def is_print(source):
    """One call of print, with constants."""
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func) == 'print' and all(isinstance(a, ast.Constant) for a in call.args)


class Source:
    def __init__(self, source):
        self.tree = ast.parse(source, feature_version=(3, 5))
        self.nodes = list(ast.walk(self.tree))
        self.own = {node.name for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        # A name that is given another value once would be called as that value.
        self.own |= {'act'}
        self.lists = {
            target.id: node.value for node in self.nodes if isinstance(node, ast.Assign) for target in node.targets
            if isinstance(target, ast.Name)
        }

    def problems(self):
        for node in self.nodes:
            if isinstance(node, LATER_SYNTAX):
                yield 'syntax that Python 3.5 has not: %s' % type(node).__name__
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name not in MODULES or alias.asname:
                        yield 'an import of %s' % alias.name
            if isinstance(node, ast.ImportFrom):
                yield 'an import out of %s' % node.module
            if isinstance(node, ast.Call):
                yield from self.call_problems(node)
            # Also where it is not called: a function could be given another name.
            if isinstance(node, ast.Attribute) and self.is_of_module(node):
                name = ast.unparse(node)
                if name not in CALLS and name not in CONSTANTS:
                    yield 'a use of %s' % name

    def call_problems(self, call):
        name = ast.unparse(call.func)
        if name in ('subprocess.Popen', 'subprocess.call'):
            yield from self.program_problems(call)
        elif name == 'exec':
            inner = call.args[0]
            wrapped = (isinstance(inner, ast.Call) and ast.unparse(inner.func) == 'base64.b64decode'
                       and isinstance(inner.args[0], ast.Constant))
            if not wrapped or not is_print(base64.b64decode(inner.args[0].value)):
                yield 'exec of something else than a wrapped print'
        elif name == 'pty.spawn' and ast.unparse(call) != "pty.spawn(['/bin/true'])":
            yield 'starts something else than /bin/true: %s' % ast.unparse(call)
        elif name == 'open':
            mode = ast.unparse(call.args[1]) if len(call.args) > 1 else "'r'"
            if mode != "'rb'" and ast.unparse(call.args[0]) != 'RECEIPT_PATH':
                yield 'opens %s to write' % ast.unparse(call.args[0])
        elif name not in CALLS and name not in self.own and not (
                isinstance(call.func, ast.Attribute) and call.func.attr in METHODS and self.is_value(call.func.value)):
            yield 'a call of %s' % name

    def is_value(self, node):
        """Not a module: what such a name stands for is not known by its methods."""
        return not (isinstance(node, ast.Name) and node.id in ROOTS) and not self.is_of_module(node)

    def is_of_module(self, node):
        while isinstance(node, ast.Attribute):
            node = node.value
            if isinstance(node, ast.Name) and node.id in ROOTS:
                return True
        return False

    def program_problems(self, call):
        if any(keyword.arg == 'shell' for keyword in call.keywords):
            yield 'a shell'
        words = call.args[0]
        given = [words]
        if isinstance(words, ast.Subscript) and isinstance(words.value, ast.Name):
            table = self.lists.get(words.value.id)
            given = table.values if isinstance(table, ast.Dict) else given
        for one in given:
            if ast.unparse(one) not in PROGRAMS:
                yield 'starts %s' % ast.unparse(one)


def problems(source):
    try:
        yield from Source(source).problems()
    except SyntaxError as error:
        yield 'not the syntax of Python 3.5: %s' % error


print(json.dumps({name: list(problems(source)) for name, source in json.load(sys.stdin).items()}))
