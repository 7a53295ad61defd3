import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import type { StandIn, StandInContext, StandInFolders, StartOptions } from '../standins/stand-in.ts';
import { isListening } from './host.ts';
import { LAB_ADDRESS, MOUNT_MARK, SYSLOG_PORT, runtimeFiles, standInFolders, stateFiles } from './layout.ts';
import { isRunning, mountNamespace, startDaemon, waitUntil } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import { saveState } from './state.ts';
import type { LabState } from './state.ts';

/** New mount and UTS namespaces; what is mounted in them is seen by nobody else. */
const UNSHARE = ['unshare', '--mount', '--uts', '--propagation', 'private'] as const;

/** sh(1) lines `FOLDER HOST [COMMAND …]`: marks fresh namespaces as the lab's, names the host, and becomes the command. */
const MARK = `mount --no-mtab -t tmpfs -o nosuid,nodev,noexec,mode=0755,size=64k ${MOUNT_MARK} "$1" && hostname "$2" && shift 2 && exec "$@"`;

/** What the lab does for this stand-in while it starts. Makes its folders. */
export function contextFor(standIn: StandIn, state: LabState, log: (line: string) => void): StandInContext {
  const { name } = standIn;
  const folders = standInFolders(state.stateDir, name);
  const files = stateFiles(state.stateDir);
  const mark = path.join(folders.runtime, 'mark');
  makeFolders(folders, mark);
  const passwords = new Map<string, string>();
  const record = (what: string, ref: ProcessRef): ProcessRef => {
    state.standIns.find((one) => one.name === name)?.processes.push({ what, ref });
    saveState(state);
    return ref;
  };
  const logOf = (what: string): string => path.join(files.logs, `${name}.${what}.log`);
  return {
    standIn,
    folders,
    address: LAB_ADDRESS,
    syslog: { address: LAB_ADDRESS, port: SYSLOG_PORT },
    clientPublicKey: readFileSync(`${files.clientKey}.pub`, 'utf8').trim(),
    log: (line) => {
      log(`${name}: ${line}`);
    },
    password(account) {
      const known = passwords.get(account);
      if (known !== undefined) return known;
      const password = randomBytes(15).toString('base64url').replace(/[-_]/g, 'x');
      writeFileSync(path.join(folders.secrets, `${account}.password`), password, { mode: 0o600 });
      passwords.set(account, password);
      return password;
    },
    trust(port, publicKeys) {
      const lines = publicKeys.map(
        (key) => `[${LAB_ADDRESS}]:${port} ${key.split(' ').slice(0, 2).join(' ').trim()}\n`,
      );
      appendFileSync(files.knownHosts, lines.join(''), { mode: 0o600 });
    },
    async open(setup) {
      const holder = await startDaemon([runtimeFiles.holder, 'infinity'], logOf('holder'), UNSHARE);
      record('holder', holder);
      const own = mountNamespace('self');
      const isOpen = (): boolean => isRunning(holder) && mountNamespace(holder.pid) !== own;
      if (!(await waitUntil(() => !isRunning(holder) || isOpen(), 20_000)) || !isOpen())
        throw new Error(`the namespaces of ${name} could not be made; see ${logOf('holder')}`);
      const marked = ['/bin/sh', '-c', MARK, 'sh', mark, name, ...setup];
      await execa('nsenter', [...doorOptions(holder), ...marked], { stdin: 'ignore' });
      return holder;
    },
    async start(what, argv, options: StartOptions = {}) {
      const { door, user = false } = options;
      const enter =
        door === undefined
          ? [...UNSHARE, '/bin/sh', '-c', MARK, 'sh', mark, name]
          : ['nsenter', ...doorOptions(door, user)];
      return record(what, await startDaemon(argv, logOf(what), enter));
    },
    async listening(port, process) {
      const ready = await waitUntil(() => !isRunning(process) || isListening(port), 20_000);
      if (ready && isRunning(process)) return;
      const what = state.standIns
        .find((one) => one.name === name)
        ?.processes.find(({ ref }) => ref.pid === process.pid)?.what;
      const said = what === undefined ? '' : lastLines(logOf(what));
      throw new Error(`${what ?? 'a process'} of ${name} does not listen on port ${port}; it said:\n${said}`);
    },
  };
}

function doorOptions(door: ProcessRef, user = false): readonly string[] {
  return ['--target', String(door.pid), '--mount', '--uts', ...(user ? ['--user'] : []), '--'];
}

function makeFolders({ runtime, secrets, logs }: StandInFolders, mark: string): void {
  mkdirSync(runtime, { recursive: true, mode: 0o755 });
  mkdirSync(mark, { recursive: true, mode: 0o755 });
  for (const folder of [secrets, logs]) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n') : '';
}
