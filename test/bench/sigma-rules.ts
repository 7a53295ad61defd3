import { stringify } from 'yaml';
import { SeededRandom } from './sigma-random.ts';

type Detection = Readonly<Record<string, unknown>>;
type Draft = { readonly logsource: Readonly<Record<string, string>>; readonly detection: Detection };

const process = { product: 'linux', category: 'process_creation' };
const tools = [
  'awk base64 bash busybox capsh cat chattr chmod chown chroot cp cpulimit crontab csh curl cut dash date dd dig dmesg docker',
  'dpkg ed env ethtool expand expect find fish flock ftp gawk gcc gdb getfacl git grep groupadd gzip hexdump hostname hping3',
  'iconv id insmod ip iptables jq kill ksh kubectl last ldd less ln loginctl lsattr lsmod lsof lua make mawk mkfifo mknod modprobe',
  'more mount mv nano nc ncat netstat nft nice nmap node nohup nsenter od openssl passwd perl php ping pip pkexec ps psql',
  'python python2 python3 rpm rsync ruby rvim scp screen script sed service setcap setfacl sftp sh shred socat sort split ss ssh',
  'ssh-keygen stat strace strings su sudo sysctl systemctl tac tail tar taskset tclsh tcpdump tee telnet tftp time timeout tmux top',
  'touch tr tshark umount unshare unzip useradd usermod vi vim w watch wget whoami wish xargs xxd yum zip zsh',
]
  .join(' ')
  .split(' ') as [string, ...string[]];
const codeWords = [
  'socket.socket( os.dup2( pty.spawn( subprocess.call( os.system( __import__( exec( eval( compile( marshal.loads( zlib.decompress( ctypes.CDLL(',
  'urllib.request urlretrieve( http.server SimpleHTTPServer requests.get( base64.b64decode( codecs.decode( setuid( connect_ex( bind(( listen( getaddrinfo(',
  'fsockopen( proc_open( shell_exec( TCPSocket.new IO.popen( io.popen os.execute /dev/tcp/ /dev/udp/ 0>&1 >&/dev/null mkfifo /tmp/f',
]
  .join(' ')
  .split(' ') as [string, ...string[]];
const options = [
  ' -i | -e | -c | -lvp | -nlvp | --exec | --sh-exec | -o ProxyCommand= | --checkpoint-action= | --to-command= | -I "exit_action"',
  ' --output | -O | --post-file | --upload-file | -T | --data-binary | -perm -4000 | -exec | -delete | -u root | -p 4444 | --no-check-certificate',
  ' +s | u+s | 4755 | 777 | -R 0: | -L 0: | -D 1080 | --privileged | -v /:/ | --pid=host | --net=host | enable --now | daemon-reload | mask ',
]
  .join('|')
  .split('|') as [string, ...string[]];
const paths = [
  '/etc/passwd /etc/shadow /etc/sudoers /etc/sudoers.d/ /etc/cron.d/ /etc/crontab /var/spool/cron/ /etc/ld.so.preload /etc/profile.d/ /etc/rc.local',
  '/root/.ssh/ /.ssh/authorized_keys /.bash_history /.bashrc /.zshrc /etc/systemd/system/ /lib/systemd/system/ /dev/shm/ /var/tmp/ /tmp/. /run/user/',
  '/var/log/auth.log /var/log/wtmp /var/log/lastlog /var/log/syslog /proc/self/exe /proc/sys/kernel/ /sys/fs/cgroup/ /boot/ /usr/local/lib/ /opt/',
  '/etc/pam.d/ /etc/ssh/sshd_config /etc/hosts /etc/resolv.conf /etc/update-motd.d/ /etc/apt/apt.conf.d/ /etc/yum.repos.d/ /var/www/ /srv/',
]
  .join(' ')
  .split(' ') as [string, ...string[]];
const extensions = [
  '.py',
  '.pyc',
  '.sh',
  '.so',
  '.elf',
  '.ko',
  '.pl',
  '.php',
  '.service',
  '.timer',
  '.desktop',
] as const;
const phrases = [
  'segfault at|killed by signal|promiscuous mode|authentication failure|possible break-in attempt|POSSIBLE BREAKIN|Failed password for root',
  'invalid user|maximum authentication attempts|fatal: buffer_get|Corrupted MAC|Bad packet length|error in libcrypto|unexpected internal error',
  'CMD (|REPLACE (|BEGIN EDIT (|LIST (|RELOAD (|(root) CMD|session opened for user root|COMMAND=/bin/sh|COMMAND=/usr/bin/vi|NOT in sudoers',
  'module verification failed|tainting kernel|usb-storage|BadUSB|oom-killer|stack smashing detected|double free or corruption|apparmor="DENIED"',
]
  .join('|')
  .split('|') as [string, ...string[]];
const networks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::1/128',
  'fe80::/10',
  'fc00::/7',
] as const;
const ports = [
  21, 23, 25, 53, 69, 135, 445, 1080, 1337, 3333, 3389, 4444, 4445, 5555, 6666, 6667, 8080, 8443, 9001, 9050, 31337,
] as [number, ...number[]];
const users = [
  'root',
  'www-data',
  'nobody',
  'postgres',
  'mysql',
  'apache',
  'nginx',
  'tomcat',
  'daemon',
  'backup',
] as const;

/** The shapes in which SigmaHQ's Linux rules come, roughly as often as they do there: process starts most of all. */
const shapes: readonly [(random: SeededRandom) => Draft, ...((random: SeededRandom) => Draft)[]] = [
  (random) =>
    processRule({
      selection: { ...image(random), 'CommandLine|contains': random.several(options, 1, 4) },
      condition: 'selection',
    }),
  (random) =>
    processRule({
      selection: { ...image(random), 'CommandLine|contains|all': random.several(codeWords, 2, 3) },
      condition: 'selection',
    }),
  (random) =>
    processRule({
      selection_img: image(random),
      selection_cli: { 'CommandLine|contains': random.several(codeWords, 1, 5) },
      filter_main_user: { User: random.pick(users), 'CurrentDirectory|startswith': random.pick(paths) },
      condition: 'all of selection_* and not 1 of filter_main_*',
    }),
  (random) => processRule({ selection: { ...image(random), 'CommandLine|re': regex(random) }, condition: 'selection' }),
  (random) =>
    processRule({
      selection: { 'CommandLine|re|i': regex(random) },
      filter: { User: null },
      condition: 'selection and not filter',
    }),
  (random) =>
    processRule({
      parent: { 'ParentImage|endswith': random.several(tools, 1, 3).map((tool) => `/${tool}`) },
      child: { Image: random.several(tools, 1, 4).map((tool) => `/usr/bin/${tool}`) },
      condition: 'parent and child',
    }),
  (random) =>
    processRule({
      selection: [image(random), { 'ParentCommandLine|contains': random.several(codeWords, 1, 2) }],
      place: { 'CurrentDirectory|startswith': random.several(paths, 1, 3) },
      condition: 'selection and place',
    }),
  (random) =>
    processRule({
      selection: { 'CommandLine|contains|windash': random.several(options, 1, 2), ...image(random) },
      condition: 'selection',
    }),
  (random) =>
    processRule({
      selection: { 'CommandLine|base64offset|contains': random.several(codeWords, 1, 3) },
      condition: 'selection',
    }),
  (random) =>
    processRule({
      selection: {
        'CommandLine|endswith': random.several(extensions, 1, 3),
        'CommandLine|contains': random.several(paths, 1, 3),
      },
      filter: { 'CommandLine|startswith': random.several(tools, 1, 2) },
      condition: 'selection and not filter',
    }),
  (random) =>
    processRule({
      selection: { CommandLine: `*${random.pick(tools)} ?${random.pick(paths)}*${random.pick(options)}*` },
      condition: 'selection',
    }),
  (random) =>
    processRule({
      selection: { Image: `/usr/bin/${random.pick(tools)}`, 'User|cased': random.pick(users) },
      condition: 'selection',
    }),
  (random) => ({
    logsource: { product: 'linux', category: 'network_connection' },
    detection: {
      selection: {
        'Image|endswith': random.several(tools, 1, 3).map((tool) => `/${tool}`),
        DestinationPort: random.several(ports, 1, 5),
      },
      filter: { 'DestinationIp|cidr': random.several(networks, 2, 6) },
      condition: 'selection and not filter',
    },
  }),
  (random) => ({
    logsource: { product: 'linux', category: 'network_connection' },
    detection: {
      selection: { 'DestinationIp|cidr': `203.0.${random.integer(256)}.0/24`, 'DestinationPort|gte': 1024 },
      condition: 'selection',
    },
  }),
  (random) => ({
    logsource: { product: 'linux', category: 'file_event' },
    detection: {
      selection: {
        'TargetFilename|startswith': random.several(paths, 1, 3),
        'TargetFilename|endswith': random.several(extensions, 1, 3),
      },
      filter: image(random),
      condition: 'selection and not filter',
    },
  }),
  (random) => ({
    logsource: { product: 'linux', category: 'file_event' },
    detection: {
      selection: { 'TargetFilename|contains': random.several(paths, 1, 2), ...image(random) },
      condition: 'selection',
    },
  }),
  (random) => keywordRule(random, random.several(phrases, 1, 5)),
  (random) => keywordRule(random, { '|all': [random.pick(phrases), random.pick(users)] }),
  (random) => ({
    logsource: { product: 'linux', service: 'auditd' },
    detection: {
      selection: {
        'auditd.data.type': random.pick(['SYSCALL', 'PATH', 'EXECVE', 'USER_AUTH']),
        'auditd.data.name|startswith': random.pick(paths),
      },
      condition: 'selection',
    },
  }),
];

/** So many different Sigma rules, as text; the same every time. */
export function benchRules(count: number): readonly string[] {
  const random = new SeededRandom(500);
  return Array.from({ length: count }, (_, number) => {
    const shape = shapes[number % shapes.length] ?? shapes[0];
    const id = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    return stringify({ title: `Rule ${number}`, id, level: 'medium', ...shape(random) });
  });
}

function processRule(detection: Detection): Draft {
  return { logsource: process, detection };
}

function keywordRule(random: SeededRandom, keywords: unknown): Draft {
  const service = random.pick(['cron', 'sshd', 'syslog']);
  return { logsource: { product: 'linux', service }, detection: { keywords, condition: 'keywords' } };
}

function image(random: SeededRandom): Detection {
  return { 'Image|endswith': random.several(tools, 1, 4).map((tool) => `/${tool}`) };
}

function regex(random: SeededRandom): string {
  const word = random.pick(tools);
  const code = random.pick(codeWords).replace(/[()./+*?[\]{}|^$\\]/g, '\\$&');
  return random.pick([
    `${word}\\s+-[a-z]*${random.pick(['c', 'e', 'r'])}\\s.*${code}`,
    `(?:^|/|\\s)(${random.several(tools, 2, 4).join('|')})\\s.{0,40}${code}`,
    `[A-Za-z0-9+/]{60,}={0,2}.*\\|\\s*${word}`,
    `${code}.*(?:${random.several(['\\d{1,3}\\.\\d{1,3}\\.', 'https?://', '\\\\x[0-9a-f]{2}', '/tmp/'], 2, 3).join('|')})`,
  ]);
}
