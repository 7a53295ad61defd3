"""Looks through the source of composed payloads, which come as JSON {name: source} on standard input; prints JSON
{name: [what is wrong]}. Needs Python 3.10, which knows the names of its own standard library."""
import ast
import base64
import json
import sys

LATER_SYNTAX = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Await, ast.Match)
NEVER_CALLED = {
    'eval', 'compile', '__import__', 'import_module', 'system', 'popen', 'Popen', 'call', 'check_call', 'check_output',
    'execv', 'execve', 'execl', 'execlp', 'execvp', 'spawnl', 'spawnv', 'fork', 'forkpty', 'kill', 'killpg', 'remove', 'unlink',
    'rmtree', 'rmdir', 'rename', 'replace', 'chmod', 'chown', 'symlink', 'link', 'mkdir', 'makedirs', 'setuid', 'putenv',
}
NEVER_IMPORTED = {'subprocess', 'ctypes', 'shutil', 'multiprocessing', 'signal', 'importlib', 'runpy', 'tempfile'}


def name_of(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, 'id', '')


def is_print(source):
    """One call of print, with constants."""
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return isinstance(call, ast.Call) and name_of(call) == 'print' and all(isinstance(a, ast.Constant) for a in call.args)


def call_problems(call):
    name = name_of(call)
    if name == 'exec':
        inner = call.args[0]
        wrapped = isinstance(inner, ast.Call) and name_of(inner) == 'b64decode' and isinstance(inner.args[0], ast.Constant)
        if not wrapped or not is_print(base64.b64decode(inner.args[0].value)):
            yield 'exec of something else than a wrapped print'
    elif name in NEVER_CALLED:
        yield 'a call of %s' % name
    elif name == 'spawn' and ast.unparse(call) != "pty.spawn(['/bin/true'])":
        yield 'starts something else than /bin/true: %s' % ast.unparse(call)
    elif name == 'open' and isinstance(call.func, ast.Name):
        mode = ast.unparse(call.args[1]) if len(call.args) > 1 else "'r'"
        if mode != "'rb'" and ast.unparse(call.args[0]) != 'RECEIPT_PATH':
            yield 'opens %s to write' % ast.unparse(call.args[0])
    if any(keyword.arg == 'shell' for keyword in call.keywords):
        yield 'a shell'


def problems(source):
    try:
        tree = ast.parse(source, feature_version=(3, 5))
    except SyntaxError as error:
        yield 'not the syntax of Python 3.5: %s' % error
        return
    for node in ast.walk(tree):
        if isinstance(node, LATER_SYNTAX):
            yield 'syntax that Python 3.5 has not: %s' % type(node).__name__
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
            [node.module or ''] if isinstance(node, ast.ImportFrom) else [])
        for module in modules:
            top = module.split('.')[0]
            if top not in sys.stdlib_module_names:
                yield '%s is not of the standard library' % module
            if top in NEVER_IMPORTED:
                yield 'an import of %s' % module
        if isinstance(node, ast.Call):
            yield from call_problems(node)


print(json.dumps({name: list(problems(source)) for name, source in json.load(sys.stdin).items()}))
