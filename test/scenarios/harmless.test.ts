import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { zipSync } from 'fflate';
import t from 'tap';
import { Desk } from '../cli/desk.ts';
import { requirement } from '../require.ts';
import { payloads } from './imagined-events.ts';
import { scenariosFolder } from './library.ts';
import { type Allowed, faultsOf, straceOptions } from './strace-log.ts';

const strace = '/usr/bin/strace';

async function missing(): Promise<string | undefined> {
  if (!existsSync('/usr/bin/python3')) return 'no /usr/bin/python3';
  if (!existsSync(strace)) return 'strace is not installed; node test/prepare.ts installs it';
  const { failed, stderr } = await execa(strace, ['-qq', '-e', 'trace=none', '/bin/true'], { reject: false });
  return failed ? `this machine does not let strace trace: ${stderr}` : undefined;
}

/** Besides its own folders: nothing but devices. Of programs: the interpreter, and /bin/true under the pseudo-terminal. */
const ordinary: Omit<Allowed, 'folders'> = {
  files: [/^\/dev\/(?:null|tty|ptmx|pts\/\w+)$/],
  programs: [/^\/usr\/bin\/python3[\d.]*$/, /^\/bin\/true$/],
  sockets: [/^\/dev\/log$/, /^(?:\/var)?\/run\/nscd\/socket$/],
};

t.test('strace: what a log shows is told apart', (t) => {
  const allowed = { ...ordinary, folders: ['/home/x/run1'] };
  const fine = [
    '7 openat(AT_FDCWD</home/x>, "/home/x/run1/receipt.jsonl", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 3</home/x/run1/receipt.jsonl>',
    '7 openat(AT_FDCWD</home/x/run1>, "a.pyc", O_WRONLY|O_CREAT, 0666) = 3</home/x/run1/a.pyc>',
    '7 openat(AT_FDCWD</home/x>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>',
    '7 openat(AT_FDCWD</home/x>, "/etc/x", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)',
    '7 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
    '7 sendto(3<socket:[1]>, "x", 1, 0, NULL, 0) = 1',
    '7 execve("/usr/bin/python3", ["python3"], 0x0 /* 9 vars */) = 0',
    '7 execve("/opt/x", ["x"], 0x0 /* 9 vars */) = -1 ENOENT (No such file or directory)',
  ];
  t.same(faultsOf(fine.join('\n'), allowed), []);
  const bad = [
    '7 openat(AT_FDCWD</home/x>, "/home/x/run11/f", O_WRONLY|O_CREAT, 0666) = 3</home/x/run11/f>',
    '7 openat(AT_FDCWD</home/x>, "f", O_RDWR|O_CREAT, 0666) = 3</home/x/f>',
    '7 unlink("/home/x/f") = 0',
    '7 rename("/home/x/run1/a", "/home/x/b") = 0',
    '7 mkdirat(AT_FDCWD</home/x>, "d", 0777) = 0',
    '7 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}, 16) = -1 EINPROGRESS (Operation now in progress)',
    '7 sendto(3<socket:[1]>, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16) = 1',
    '7 connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/run/docker.sock"}, 110) = 0',
    '7 execve("/bin/sh", ["sh"], 0x0 /* 9 vars */) = 0',
    '7 kill(1, SIGTERM) = 0',
  ];
  t.same(faultsOf(bad.join('\n'), allowed), bad);
  t.end();
});

t.test('strace: a program that does what it may not is found out', async (t) => {
  if (!requirement(t, 'strace', await missing())) return;
  using desk = new Desk();
  const logs = join(desk.folder, 'logs');
  mkdirSync(logs);
  const program = "import os, subprocess; open('out', 'w').close(); subprocess.call(['/bin/echo']); os.remove('out')";
  await execa(strace, [...straceOptions, '-o', join(logs, 'log'), '/usr/bin/python3', '-c', program], {
    cwd: desk.home,
  });
  const faults = faultsOf([...tracesIn(logs).values()].join('\n'), { ...ordinary, folders: [join(desk.home, 'run')] });
  for (const expected of [/openat\(.*"out".*O_CREAT/, /execve\("\/bin\/echo"/, /unlink.*"out"/])
    t.ok(
      faults.some((fault) => expected.test(fault)),
      String(expected),
    );
});

t.test(
  'scenarios: every one that can run on Linux writes, connects, starts and leaves behind only what it may',
  async (t) => {
    if (!requirement(t, 'strace', await missing())) return;
    using desk = new Desk();
    const library = join(desk.folder, 'library');
    writeLibrary(library);
    const logs = join(desk.folder, 'logs');
    mkdirSync(logs);
    const interpreter = tracedInterpreter(desk.folder, logs);
    const inventory = desk.inventory('inventory.yaml');
    const packed = packedProgram(desk.folder, interpreter);
    const text = readFileSync(inventory, 'utf8')
      .replace(
        'interpreter: /usr/bin/python3',
        `interpreter: ${interpreter}\n    executables: { collector: ${packed} }`,
      )
      .replace(/\n {4}groups/, '\n    parallel: 2\n    groups');
    writeFileSync(inventory, text);
    const before = await crontab();
    const ended = await desk.detproof(['execute', '--yes', '--library', library, '--json']);
    t.equal(ended.exitCode, 0, ended.stderr);

    const records = desk.records();
    const intents = records.flatMap((record) => (record.type === 'intent' ? [record.data] : []));
    const outcomes = new Map(
      records.flatMap((record) =>
        record.type === 'execution' ? [[record.data.execution, record.data.outcome.kind] as const] : [],
      ),
    );
    t.ok(intents.length > 40, `${intents.length} executions`);
    const traces = [...tracesIn(logs).values()];
    for (const { execution, marker, run, cleanup } of intents) {
      const made =
        cleanup.kind === 'steps' ? cleanup.steps.flatMap((step) => (step.kind === 'remove' ? [step.path] : [])) : [];
      // Where an account may not make a folder of the site, such as /srv, the scenario is not run.
      if (outcomes.get(execution) !== 'finished') t.comment(`${execution}: ${String(outcomes.get(execution))}`);
      const own = traces.filter((log) => log.includes(marker) || log.includes(run));
      t.equal(own.length > 0, outcomes.get(execution) === 'finished', `${execution} was traced`);
      t.same(
        own.flatMap((log) => faultsOf(log, { ...ordinary, folders: made })),
        [],
        `${execution} does only what it may`,
      );
      t.same(
        made.filter((path) => existsSync(path)),
        [],
        `${execution} leaves no file`,
      );
    }
    t.same(desk.leftInHome, [], 'nothing is left in the home');
    t.same(await crontab(), before, 'no crontab line is left');
    t.same(bearing(intents.map(({ marker }) => marker)), [], 'no process is left');
  },
);

/** The shipped scenarios of Linux. What cron starts and what is typed runs as one command here: this machine's cron stays as it is. */
function writeLibrary(library: string): void {
  for (const folder of ['payloads', 'detections', 'linux'])
    cpSync(join(scenariosFolder, folder), join(library, folder), { recursive: true });
  for (const name of readdirSync(join(library, 'linux'))) {
    const file = join(library, 'linux', name);
    const text = readFileSync(file, 'utf8')
      .replace(', via: cron', '')
      .replace(/^channel: shell\n/m, '');
    writeFileSync(file, text);
  }
}

/** The logs of each start of strace: of the program itself and of all that it started. */
function tracesIn(logs: string): ReadonlyMap<string, string> {
  const traces = new Map<string, string>();
  for (const name of readdirSync(logs)) {
    const start = name.replace(/\.\d+$/, '');
    traces.set(start, `${traces.get(start) ?? ''}${readFileSync(join(logs, name), 'utf8')}`);
  }
  return traces;
}

/** An interpreter that has strace look at each of its processes; a copy of it or a link to it does the same. */
function tracedInterpreter(folder: string, logs: string): string {
  const file = join(folder, 'python3');
  writeFileSync(file, `#!/bin/sh\nexec ${strace} ${straceOptions.join(' ')} -o ${logs}/$$ /usr/bin/python3 "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** What an operator would have packed; here the interpreter is not in it. */
function packedProgram(folder: string, interpreter: string): string {
  const source = `${payloads.read('single-file.py')}${payloads.read('receipt.py')}\nmain()\n`;
  const archive = zipSync({ '__main__.py': new TextEncoder().encode(source) });
  const bytes = Buffer.concat([Buffer.from(`#!${interpreter}\n`), archive]);
  writeFileSync(join(folder, 'collector'), bytes);
  return `{ path: collector, sha256: ${createHash('sha256').update(bytes).digest('hex')} }`;
}

async function crontab(): Promise<string> {
  const { stdout, stderr } = await execa('crontab', ['-l'], { reject: false });
  return `${stdout}${stderr}`;
}

function bearing(markers: readonly string[]): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return markers.some((marker) => line.includes(marker)) ? [line] : [];
      } catch {
        return [];
      }
    });
}
