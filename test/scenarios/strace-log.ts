/** Where one traced execution may leave its mark. */
export type Allowed = {
  /** Folders in which it may write, and of which it may be one. */
  readonly folders: readonly string[];
  /** Files outside of these that are devices or that everybody writes to. */
  readonly files: readonly RegExp[];
  readonly programs: readonly RegExp[];
  /** Paths of sockets of this machine. */
  readonly sockets: readonly RegExp[];
};

/**
 * What strace is told to watch: whatever changes a file, reaches the network, or starts or ends a process. With -ff each process
 * has a log of its own, LOG.PID, in which no call is torn apart by those of another.
 */
export const straceOptions = [
  '-ff',
  '-qq',
  '-y',
  '-s',
  '4096',
  '-e',
  'signal=none',
  '-e',
  'trace=%file,%network,%process,kill',
];

const writes = /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE/;
const changing =
  /^(?:mkdir|rmdir|unlink|rename|link|symlink|mknod|chmod|chown|lchown|fchmod|fchown|truncate|utime|utimes|utimensat|futimesat|setxattr|lsetxattr|removexattr|mount|umount2?|chroot|pivot_root|swapon|acct|quotactl|bind|mkdirat|unlinkat|renameat2?|linkat|symlinkat|mknodat|fchmodat2?|fchownat)$/;

/** What a log of strace shows that was not allowed, a line each. Calls that failed are no harm, but for connections, which begin all the same. */
export function faultsOf(log: string, allowed: Allowed): readonly string[] {
  return log.split('\n').filter((line) => {
    const match = /^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)/.exec(line);
    if (match === null) return false;
    const [, call = '', args = '', result = ''] = match;
    return isFault(call, args, result.startsWith('-') || result === '?', allowed);
  });
}

function isFault(call: string, args: string, failed: boolean, allowed: Allowed): boolean {
  switch (call) {
    case 'execve':
    case 'execveat':
      return !failed && !allowed.programs.some((program) => program.test(quoted(args)[0] ?? ''));
    case 'open':
    case 'openat':
    case 'openat2':
    case 'creat':
      return !failed && (call === 'creat' || writes.test(args)) && !mayWrite(pathIn(args), allowed);
    case 'connect':
    case 'bind':
    case 'sendto':
    case 'sendmsg':
      return !isNear(args, allowed);
    case 'kill':
    case 'tgkill':
      return true;
    default:
      return !failed && changing.test(call) && !quoted(args).every((path) => mayWrite(absolute(args, path), allowed));
  }
}

/** Loopback, a socket of the machine that is known, the kernel (netlink), or a socket that is connected already. */
function isNear(args: string, { sockets }: Allowed): boolean {
  if (args.includes('sa_family=AF_INET6')) return /inet_pton\(AF_INET6, "(?:::1|::ffff:127\.[\d.]+)"/.test(args);
  if (args.includes('sa_family=AF_INET')) return /inet_addr\("127\.[\d.]+"\)/.test(args);
  const unix = /sa_family=AF_UNIX, sun_path=@?"([^"]*)"/.exec(args)?.[1];
  if (unix !== undefined) return sockets.some((socket) => socket.test(unix));
  return args.includes('sa_family=AF_NETLINK') || !args.includes('sa_family=');
}

function mayWrite(path: string, { folders, files }: Allowed): boolean {
  return (
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`)) || files.some((file) => file.test(path))
  );
}

function quoted(args: string): readonly string[] {
  return [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text);
}

function pathIn(args: string): string {
  return absolute(args, quoted(args)[0] ?? '');
}

/** strace -y says the folder that a relative path is relative to. */
function absolute(args: string, path: string): string {
  if (path.startsWith('/')) return path;
  const folder = /^(?:AT_FDCWD|\d+)<([^>]*)>/.exec(args)?.[1];
  return folder === undefined ? path : `${folder}/${path}`;
}
