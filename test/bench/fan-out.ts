import { access, chmod, mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sshd, sshdMissing } from '../adapters/transports/sshd.ts';
import { compare, type Comparison, describe, outputOf, type Side } from './sides.ts';

const hosts = 40;
const commandsPerHost = 10;
const repetitions = 3;
/** Of 4, 8, 16 and 40, what was quickest for ssh on two CPUs. */
const xargsProcesses = 8;

/** Everything that a side needs to know. */
export type Field = {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly account: string;
  readonly key: string;
  readonly knownHosts: readonly string[];
  readonly commandsPerHost: number;
  /** Scratch folder, new for each run. */
  readonly folder: string;
};

/** Its own process, as the others are: starting Node and loading the transport is part of the time. */
const detproof: Side<Field> = {
  name: 'detproof',
  run: (field) =>
    output(process.execPath, [fileURLToPath(new URL('fan-out-detproof.ts', import.meta.url)), JSON.stringify(field)]),
};

/** Per host, the first command makes the connection and leaves it to the next ones (ControlPersist). */
const openssh: Side<Field> = {
  name: 'ssh + xargs',
  goal: 0.6,
  async run(field) {
    const options = await sshConfig(field);
    const script = join(field.folder, 'host.sh');
    await writeFile(
      script,
      `i=0\nwhile [ $i -lt ${field.commandsPerHost} ]; do ssh -F ${options} "$1" /bin/echo "$1" $i; i=$((i + 1)); done\n`,
    );
    return output('sh', [
      '-c',
      `printf '%s\\n' ${field.addresses.join(' ')} | xargs -P ${xargsProcesses} -n 1 sh ${script}`,
    ]);
  },
};

/** Its fastest way: no facts, no modules (raw), pipelining, persistent connections, hosts not waiting for each other. */
const ansible: Side<Field> = {
  name: 'ansible',
  goal: 0.2,
  async run(field) {
    const options = await sshConfig(field);
    const file = (name: string): string => join(field.folder, name);
    await writeFile(file('hosts'), field.addresses.map((address) => `${address}\n`).join(''));
    await writeFile(
      file('play.yml'),
      `- hosts: all\n  gather_facts: false\n  strategy: free\n  tasks:\n${Array.from({ length: field.commandsPerHost }, (_, index) => `    - raw: /bin/echo {{ inventory_hostname }} ${index}\n`).join('')}`,
    );
    await writeFile(
      file('ansible.cfg'),
      `[defaults]\nforks = ${hosts}\nstdout_callback = minimal\ndisplay_ok_hosts = true\n[ssh_connection]\npipelining = true\nssh_args = -F ${options}\ncontrol_path_dir = ${field.folder}/cp\n`,
    );
    return output('ansible-playbook', ['-i', file('hosts'), file('play.yml')], {
      ANSIBLE_CONFIG: file('ansible.cfg'),
      ANSIBLE_LOCAL_TEMP: field.folder,
      LC_ALL: 'C.UTF-8',
    });
  },
};

async function sshConfig(field: Field): Promise<string> {
  const path = join(field.folder, 'ssh_config');
  await writeFile(
    path,
    [
      `Port ${field.port}`,
      `User ${field.account}`,
      `IdentityFile ${field.key}`,
      'IdentitiesOnly yes',
      `UserKnownHostsFile ${field.knownHosts.join(' ')}`,
      'GlobalKnownHostsFile /dev/null',
      'StrictHostKeyChecking yes',
      'BatchMode yes',
      'UpdateHostKeys no',
      'ControlMaster auto',
      'ControlPersist 3s',
      `ControlPath ${field.folder}/%h`,
      'LogLevel ERROR',
      '',
    ].join('\n'),
  );
  return path;
}

async function output(...of: Parameters<typeof outputOf>): Promise<string> {
  return (await outputOf(...of)).stdout;
}

/** 40 loopback addresses, 10 commands each, as an unprivileged account with /bin/sh; the sides take turns. */
export async function benchFanOut(): Promise<Comparison> {
  const what = `${commandsPerHost} commands on each of ${hosts} loopback addresses, wall time of the whole process, ${repetitions} turns, ${cpus().length} CPUs`;
  const missing = await sshdMissing();
  if (missing !== undefined) return { what, sides: [], ratios: [], notes: [], skipped: [missing] };
  const addresses = Array.from({ length: hosts }, (_, index) => `127.0.1.${index + 1}`);
  await using servers = new AsyncDisposableStack();
  const started: Sshd[] = [];
  // sshd listens on 16 addresses at most (MAX_LISTEN_SOCKS).
  for (let at = 0; at < hosts; at += 10)
    started.push(
      servers.use(
        await Sshd.start({
          listen: addresses.slice(at, at + 10),
          config: ['MaxStartups 200', 'LogLevel QUIET'],
          ...(started[0] === undefined ? {} : { like: started[0] }),
        }),
      ),
    );
  const [first] = started;
  if (first === undefined) throw new RangeError('no hosts');
  const skipped: string[] = [];
  const sides = [detproof, openssh];
  if (await onPath('ansible-playbook')) sides.push(ansible);
  else skipped.push('ansible is not installed (Debian: apt-get install ansible-core)');
  const result = await compare({
    what,
    repetitions,
    sides,
    addresses,
    commandsPerHost,
    field: async (turn, side) => {
      const folder = join(first.folder, `${turn}-${side}`);
      await mkdir(folder);
      await chmod(folder, 0o700);
      const knownHosts = started.map((one) => one.knownHosts);
      return { addresses, port: first.port, account: 'user', key: first.key, knownHosts, commandsPerHost, folder };
    },
  });
  return { ...result, skipped };
}

async function onPath(command: string): Promise<boolean> {
  const found = await Promise.allSettled(
    (process.env.PATH ?? '').split(':').map((folder) => access(join(folder, command))),
  );
  return found.some(({ status }) => status === 'fulfilled');
}

if (import.meta.main) for (const line of describe(await benchFanOut())) console.log(line);
