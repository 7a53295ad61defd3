import t from 'tap';
import { matcherOf, referenceRules } from './library.ts';

const matcher = matcherOf(referenceRules());

/** What a host might see; the rest of an event is the same for all. */
type Start = { readonly line: string; readonly image?: string; readonly cwd?: string; readonly parent?: string };

const python = '/usr/bin/python3.11';

function processStart({ line, image = python, cwd = '/home/eve', parent = '/usr/sbin/sshd' }: Start): object {
  return {
    event: { category: ['process'], type: ['start'], module: 'auditd' },
    host: { os: { type: 'linux' } },
    process: {
      executable: image,
      name: image.slice(image.lastIndexOf('/') + 1),
      command_line: line,
      working_directory: cwd,
      parent: { executable: parent },
    },
  };
}

function connection(start: Start, port: number): object {
  const { process, host } = processStart(start) as Readonly<Record<'process' | 'host', object>>;
  return {
    event: { category: ['network'], type: ['connection', 'start'], module: 'auditd' },
    host,
    process,
    destination: { ip: '198.51.100.7', port },
    network: { initiated: true },
  };
}

function cronLine(command: string): object {
  return {
    event: { category: ['host'], type: ['info'], module: 'syslog' },
    host: { os: { type: 'linux' } },
    process: { name: 'CRON' },
    message: `(eve) CMD (${command})`,
  };
}

function rulesOn(event: object): readonly string[] {
  return matcher.match(event as Readonly<Record<string, unknown>>).map(({ rule }) => rule.file);
}

const hidden = 'python-script-in-hidden-directory';
const temporary = 'python-script-in-temporary-directory';
const otherName = 'python-under-another-name';
const encoded = 'python-inline-encoded-code';
const byCron = 'python-started-by-cron-outside-job-folders';
const cronEntry = 'cron-entry-runs-python-outside-job-folders';
const web = 'python-web-connection';
const fromTemporary = 'python-connection-from-temporary-directory';
const cronConnects = 'python-started-by-cron-connects';
const url = 'python-url-argument';

const starts: readonly (readonly [Start, ...string[]])[] = [
  // Hidden folders and files, whatever options come before.
  [{ line: 'python3 /home/eve/.config/x/a.py' }, hidden],
  [{ line: 'python3 -u -B -W ignore -Xdev /home/eve/.a.py' }, hidden],
  [{ line: 'pypy3 .a/b.pyz', image: '/usr/bin/pypy3' }, hidden],
  [{ line: 'python2.7 b.py', image: '/usr/bin/python2.7', cwd: '/srv/www/.git/hooks' }, hidden],
  [{ line: 'python3 -m b', cwd: '/home/eve/.x' }, hidden],
  [{ line: 'python3 ./a.py' }],
  [{ line: 'python3 ../tools/a.py --config /home/eve/.config/a.ini' }],
  [{ line: 'python3 /opt/tool/a.py /tmp/in /home/eve/.out' }],
  [{ line: 'python3', cwd: '/home/eve/.x' }],
  [{ line: 'python3 -c print(1)', cwd: '/home/eve/.x' }],
  [{ line: 'python3 /usr/bin/tool', cwd: '/home/eve/.x' }],
  [{ line: 'cat /home/eve/.x/a.py', image: '/usr/bin/cat' }],
  [{ line: '/home/eve/.venv/bin/python app.py' }],
  [{ line: 'python3 /home/eve/.vscode-server/extensions/ms-python/run.py' }],
  [{ line: 'python3 /home/eve/.local/bin/poetry install' }],
  [{ line: 'python3 /home/eve/.ansible/tmp/ansible-tmp-1700000000.1-2-3/AnsiballZ_setup.py' }],
  [{ line: 'python3 /home/eve/.ansible/x.py' }, hidden],
  [{ line: 'python3 /home/eve/.x/a.py /home/eve/.venv/bin/a /.ansible/tmp/ansible-tmp-1/b' }, hidden],
  // World-writable folders.
  [{ line: 'python3 /tmp/a.py' }, temporary],
  [{ line: 'python3 -Bu /var/tmp/x/a' }, temporary],
  [{ line: 'python3 -X utf8 /dev/shm/a.pyz --quiet' }, temporary],
  [{ line: 'python3 sub/a.py', cwd: '/var/tmp' }, temporary],
  [{ line: 'python3 -m a', cwd: '/tmp/x' }, temporary],
  [{ line: 'python3 /tmp/.x/a.py' }, hidden],
  [{ line: 'python3 /home/eve/a.py /tmp/out' }],
  [{ line: 'python3 /home/eve/tmp/a.py' }],
  [{ line: 'python3 -c import(1) /tmp/a.py', cwd: '/tmp' }],
  [{ line: 'python3 - /tmp/a.py', cwd: '/tmp' }],
  [{ line: 'python3 -m venv env', cwd: '/tmp' }],
  [{ line: 'python3 -m pip install x', cwd: '/tmp/build' }],
  [{ line: 'python3 setup.py egg_info', cwd: '/tmp/pip-req-build-k3j2h1' }],
  [{ line: 'vim /tmp/a.py', image: '/usr/bin/vim.basic' }],
  // The interpreter under another name.
  [{ line: '/home/eve/bin/kworker /home/eve/a.py', image: '/home/eve/bin/kworker' }, otherName],
  [{ line: 'x -u a.pyz go', image: '/dev/shm/x' }, otherName],
  [
    {
      line: '/home/eve/.pyenv/versions/3.12.1/bin/python a.py',
      image: '/home/eve/.pyenv/versions/3.12.1/bin/python3.12',
    },
  ],
  [{ line: 'ruff a.py', image: '/home/eve/.local/bin/ruff' }],
  [{ line: 'kworker --help', image: '/home/eve/bin/kworker' }],
  [{ line: 'mypyc a.py', image: '/usr/local/bin/mypyc' }],
  // Code on the command line.
  [{ line: 'python3 -c import base64;exec(base64.b64decode("cHJpbnQoMSk="))' }, encoded],
  [{ line: '/home/eve/k -Sc import zlib;eval(zlib.decompress(b))', image: '/home/eve/k' }, encoded],
  [{ line: 'python3 -c print("b64decode")' }],
  [{ line: 'bash -c python3 -c "exec(b64decode(x))"', image: '/usr/bin/bash' }],
  // Cron.
  [{ line: 'python3 /home/eve/a.py', parent: '/usr/sbin/cron' }, byCron],
  [{ line: 'python3 -c print(1)', parent: '/usr/sbin/crond' }, byCron],
  [{ line: 'python3 /home/eve/a.py /usr/bin/x /srv/jobs/y', parent: '/usr/sbin/cron' }, byCron],
  [{ line: 'python3 /srv/jobs/../../home/eve/a.py', parent: '/usr/sbin/cron' }, byCron],
  [{ line: 'python3 /usr/bin/unattended-upgrade', parent: '/usr/sbin/cron' }],
  [{ line: 'python3 -u /srv/jobs/nightly/report.py --all', parent: '/usr/sbin/cron' }],
  // A URL with an address.
  [{ line: 'python3 /home/eve/a.py http://198.51.100.7:8080/x' }, url],
  [{ line: 'python3 - https://198.51.100.7' }, url],
  [{ line: 'python3 /home/eve/a.py https://example.org/x' }],
  [{ line: 'python3 /srv/monitoring/check.py http://198.51.100.7/health' }],
  [{ line: 'python3 -m pip install --index-url http://198.51.100.7/simple x' }],
  [{ line: 'curl http://198.51.100.7/x', image: '/usr/bin/curl' }],
];

const connections: readonly (readonly [Start, number, ...string[]])[] = [
  [{ line: 'python3 /home/eve/a.py' }, 443, web],
  [{ line: 'python3 -' }, 8080, web],
  [{ line: 'python3 /home/eve/a.py' }, 5432],
  [{ line: 'python3 /usr/bin/pip3 install x' }, 443],
  [{ line: 'python3 -m pip install x' }, 443],
  [{ line: 'python3 /srv/monitoring/check.py' }, 443],
  [{ line: 'python3 /home/eve/a.py -m pip install' }, 443, web],
  [{ line: 'curl https://example.org', image: '/usr/bin/curl' }, 443],
  [{ line: 'python3 /tmp/a.py' }, 5432, fromTemporary],
  [{ line: 'python3 a.py', cwd: '/home/eve/.x' }, 5432, fromTemporary],
  [{ line: 'python3 /tmp/a.py' }, 80, fromTemporary, web],
  [{ line: 'python3 setup.py', cwd: '/tmp/pip-install-k3j2h1/x' }, 5432],
  [{ line: 'python3 /home/eve/a.py', parent: '/usr/sbin/cron' }, 5432, cronConnects],
  [{ line: 'python3 /srv/jobs/a.py', parent: '/usr/sbin/cron' }, 443],
];

const cronLines: readonly (readonly [string, ...string[]])[] = [
  ['/usr/bin/python3 /home/eve/a.py >/dev/null 2>&1', cronEntry],
  ['cd /tmp/x && python3 a.py', cronEntry],
  ['/home/eve/k /home/eve/a.py', cronEntry],
  ['sleep 3; exec /dev/shm/k /dev/shm/a.pyz', cronEntry],
  ['/usr/bin/python3 /srv/jobs/a.py'],
  ['/usr/bin/python3 /usr/lib/tool/a.py'],
  ['/home/eve/backup.sh'],
];

t.test('rules: on program starts, those that they should fire on and no others', (t) => {
  for (const [start, ...expected] of starts)
    t.same(rulesOn(processStart(start)), expected, `${start.line}${start.cwd === undefined ? '' : ` in ${start.cwd}`}`);
  t.end();
});

t.test('rules: on connections, those that they should fire on and no others', (t) => {
  for (const [start, port, ...expected] of connections)
    t.same([...rulesOn(connection(start, port))].sort(), expected, `${start.line} to port ${port}`);
  t.end();
});

t.test("rules: on cron's log lines, those that they should fire on and no others", (t) => {
  for (const [command, ...expected] of cronLines) t.same(rulesOn(cronLine(command)), expected, command);
  t.end();
});
