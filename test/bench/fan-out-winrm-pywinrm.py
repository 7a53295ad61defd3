"""pywinrm's side of the WinRM fan-out benchmark: the field as JSON in the first argument, answers on standard output.

Two ways. `protocol`, its quickest: connection and shell of a host are kept for all its commands. `session`, with which its
manual begins: the connection is kept, and each command has a shell of its own. A thread per host, `threads` at a time.
"""
import json
import resource
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import winrm
from winrm.protocol import Protocol

warnings.filterwarnings('ignore')
field = json.loads(sys.argv[1])
with open(field['passwordFile'], encoding='utf-8') as file:
    password = file.readline().rstrip('\n')


def by_protocol(url, lines):
    client = Protocol(
        endpoint=url, transport='ntlm', username=field['account'], password=password, message_encryption='always')
    shell = client.open_shell(codepage=65001)
    for program, *arguments in lines:
        command = client.run_command(shell, program, arguments)
        out, _, _ = client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
        yield out
    client.close_shell(shell)


def by_session(url, lines):
    session = winrm.Session(url, auth=(field['account'], password), transport='ntlm', message_encryption='always')
    for program, *arguments in lines:
        yield session.run_cmd(program, arguments).std_out


def host(endpoint):
    way = by_session if field['way'] == 'session' else by_protocol
    lines = [[field['cmd'], '/c', 'echo', endpoint['address'], str(index)] for index in range(field['commandsPerHost'])]
    return b''.join(way('http://{address}:{port}/wsman'.format(**endpoint), lines)).decode()


with ThreadPoolExecutor(field['threads']) as pool:
    for text in pool.map(host, field['endpoints']):
        sys.stdout.write(text)
usage = resource.getrusage(resource.RUSAGE_SELF)
sys.stderr.write(json.dumps({'cpuSeconds': usage.ru_utime + usage.ru_stime}) + '\n')
