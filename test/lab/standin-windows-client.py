"""Drives a WinRM server with a client that nobody here wrote. A JSON object in, on standard input; one out.

In: client (pywinrm or pypsrp), url, auth, user, password, ca, cert, key, and steps, each with a command, and for pypsrp also
arguments, stdin (a list of texts) and interrupt. Out: the results of the steps, or the error's class and text.
"""
import json
import sys
import urllib.parse
import warnings

warnings.filterwarnings('ignore')


def run_pywinrm(ask):
    from winrm.protocol import Protocol
    client = Protocol(
        endpoint=ask['url'], transport=ask['auth'], username=ask['user'], password=ask['password'],
        server_cert_validation='validate', ca_trust_path=ask.get('ca'), cert_pem=ask.get('cert'),
        cert_key_pem=ask.get('key'), message_encryption='auto' if ask['url'].startswith('https') else ask.get('encryption', 'always'),
        operation_timeout_sec=2, read_timeout_sec=60)
    shell = client.open_shell(codepage=65001)
    results = []
    for step in ask['steps']:
        command = client.run_command(shell, step['command'], step.get('arguments', ()))
        out, err, code = client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
        results.append({'stdout': out.decode(), 'stderr': err.decode(), 'code': code})
    client.close_shell(shell)
    return results


def run_pypsrp(ask):
    from pypsrp.shell import Process, SignalCode, WinRS
    from pypsrp.wsman import WSMan
    url = urllib.parse.urlsplit(ask['url'])
    secure = url.scheme == 'https'
    options = {'negotiate_send_cbt': not ask.get('unbound', False)}
    if ask['auth'] == 'certificate':
        options = {'certificate_pem': ask['cert'], 'certificate_key_pem': ask['key']}
    server = WSMan(
        url.hostname, port=url.port, username=ask['user'], password=ask['password'], ssl=secure, auth=ask['auth'],
        cert_validation=ask.get('ca', True), encryption='auto' if secure else 'always', operation_timeout=2, **options)
    results = []
    with server, WinRS(server, environment=ask.get('environment'), working_directory=ask.get('folder')) as shell:
        for step in ask['steps']:
            process = Process(shell, step['command'], step.get('arguments', []), no_shell=False)
            process.begin_invoke()
            texts = step.get('stdin', [])
            for number, text in enumerate(texts):
                process.send(text.encode(), end=number == len(texts) - 1)
            if step.get('interrupt'):
                process.poll_invoke()
                process.signal(SignalCode.CTRL_C)
            process.end_invoke()
            process.signal(SignalCode.TERMINATE)
            results.append({
                'stdout': process.stdout.decode(), 'stderr': process.stderr.decode(), 'code': process.rc & 0xffffffff})
    return results


def main():
    ask = json.load(sys.stdin)
    try:
        answer = {'results': {'pywinrm': run_pywinrm, 'pypsrp': run_pypsrp}[ask['client']](ask)}
    except Exception as error:
        answer = {'error': type(error).__name__, 'text': str(error)}
    print(json.dumps(answer))


main()
