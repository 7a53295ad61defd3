import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { assertAuditFree, listLabRules, readAuditStatus } from '../../lab/range/audit.ts';
import {
  hidePython,
  restorePython,
  setClock,
  startAuditd,
  startHostSshd,
  stopAuditd,
  stopHostSshd,
} from '../../lab/range/faults.ts';
import { down, status, up } from '../../lab/range/lab.ts';
import { LAB_HOSTS, RUNTIME_DIR, hostFiles, labHost, runtimeFiles, stateFiles } from '../../lab/range/layout.ts';
import type { LabHost } from '../../lab/range/layout.ts';
import { withLabLock } from '../../lab/range/lock.ts';
import { LAB_PACKAGES, ensurePackages, missingPackages } from '../../lab/range/packages.ts';
import { processesOfLabHosts, waitUntil } from '../../lab/range/processes.ts';
import { LabRefused } from '../../lab/range/refused.ts';
import { lookWhileNoLabIsUp } from './machine.ts';
import { turn } from './turn.ts';

const [alpha, beta] = [labHost('lab-alpha'), labHost('lab-beta')];
const WAIT_MS = 600_000;
const stateDir = path.join(mkdtempSync(path.join(tmpdir(), 'detproof range ')), 'lab');
const files = stateFiles(stateDir);

/** Logs in with the system's ssh, as strictly as it can be, and gives back what the command did. */
async function login(host: LabHost, command: string) {
  const options = [
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    `UserKnownHostsFile="${files.knownHosts}"`,
  ];
  const target = ['-p', String(host.port), '-i', files.clientKey, `${host.account}@127.0.0.1`];
  return execa('ssh', ['-F', 'none', ...options.flatMap((option) => ['-o', option]), ...target, command], {
    reject: false,
  });
}

/** The audit log's lines that belong to the event whose line matches, once there is one. */
async function auditEvent(pattern: RegExp): Promise<readonly string[]> {
  const find = (): string | undefined => auditLines().find((line) => pattern.test(line));
  await waitUntil(() => find() !== undefined, 5000);
  const id = /msg=(audit\(\S+\))/.exec(find() ?? '')?.[1];
  return id === undefined ? [] : auditLines().filter((line) => line.includes(id));
}

function auditLines(): readonly string[] {
  return readFileSync(files.auditLog, 'utf8').split('\n');
}

function field(lines: readonly string[], name: string): string | undefined {
  return lines.map((line) => new RegExp(` ${name}=(\\S+)`).exec(line)?.[1]).find((value) => value !== undefined);
}

/** The executable of the process that made this pid, as the audit log tells it. */
async function makerOf(pid: string | undefined): Promise<string | undefined> {
  return field(await auditEvent(new RegExp(`type=SYSCALL .* exit=${pid} .* key="detproof-(fork|daemon)"`)), 'exe');
}

async function listenForSyslog(host: LabHost): Promise<{ server: Server; lines: () => string }> {
  let text = '';
  const server = createServer((socket) => {
    socket.on('data', (chunk) => (text += chunk.toString('utf8')));
  });
  await new Promise<void>((resolve) =>
    server.listen({ path: hostFiles(host.name).syslogSocket, writableAll: true }, resolve),
  );
  return { server, lines: () => text };
}

/** Brings a lab up in a process of its own, tied to it. */
async function runUp(folder: string, first: string, last = ''): Promise<void> {
  const script = `import { up } from '${path.resolve(import.meta.dirname, '../../lab/range/lab.ts')}';
    ${first}
    await up({ stateDir: process.argv[1], tied: true, withoutSiem: true, waitMs: ${WAIT_MS} });
    ${last}`;
  const child = await execa(process.execPath, ['--input-type=module', '--eval', script, folder], { reject: false });
  if (child.exitCode !== undefined && child.exitCode !== 0) throw new Error(child.stderr);
}

async function why(): Promise<string | false> {
  try {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      throw new LabRefused('not-root', 'the lab needs root on Linux');
    await ensurePackages(LAB_PACKAGES, (line) => {
      t.comment(line);
    });
    await readAuditStatus();
    return false;
  } catch (error) {
    if (!(error instanceof LabRefused) || process.env['DETPROOF_REQUIRE'] === 'all') throw error;
    return error.message;
  }
}

const skip = await why();
if (skip !== false) t.comment(`skipped: ${skip}`);

t.test('lab: on this machine', { skip, timeout: 2 * WAIT_MS }, async (t) => {
  await turn();
  const before = await lookWhileNoLabIsUp();
  t.teardown(async () => {
    await down({ stateDir });
    rmSync(path.dirname(stateDir), { recursive: true, force: true });
  });

  await t.test('lock: a second holder waits, then is refused with the name of the first', async (t) => {
    await withLabLock('the test holds it', WAIT_MS, async () => {
      await t.rejects(
        withLabLock('another', 50, () => Promise.resolve()),
        { reason: 'lab-held', message: /the test holds it/ },
      );
    });
  });

  await t.test('up: a taken port is refused before anything is changed', async (t) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(beta.port, '127.0.0.1', resolve));
    await t.rejects(up({ stateDir, waitMs: WAIT_MS }), { reason: 'port-in-use', message: /2222/ });
    taken.close();
    t.notOk(existsSync(stateDir));
  });

  await t.test('up: comes up whole, and a second time does nothing', async (t) => {
    const started = performance.now();
    const first = await up({ stateDir, waitMs: WAIT_MS, tied: true, withoutSiem: true });
    t.comment(`up took ${Math.round(performance.now() - started)} ms`);
    t.equal(first.is, 'whole');
    t.match(first.audit.now, { enabled: 1, pid: first.auditd });
    t.strictSame(await up({ stateDir }), first);
    await t.rejects(assertAuditFree(), { reason: 'audit-in-use', message: /An audit daemon runs already/ });
    await t.rejects(up({ stateDir: `${stateDir}-other` }), { reason: 'lab-held', message: new RegExp(stateDir) });
    await t.rejects(down({ stateDir: `${stateDir}-other` }), { reason: 'lab-held', message: /pid/ });
  });

  await t.test('packages: what is installed is not installed again, and what is missing is named', async (t) => {
    t.strictSame(await ensurePackages(['cron', 'auditd'], () => t.fail('nothing is to be installed')), []);
    t.strictSame(await missingPackages(['cron', 'detproof-no-such-package']), ['detproof-no-such-package']);
  });

  await t.test('lab host: a login meets its own host name and account, and nothing of the other', async (t) => {
    for (const host of LAB_HOSTS) {
      const { stdout } = await login(host, 'hostname; id -un; id -u; pwd; ls /home; cat /etc/hostname');
      t.equal(stdout, [host.name, host.account, host.uid, `/home/${host.account}`, host.account, host.name].join('\n'));
      const other = host === alpha ? beta : alpha;
      t.not((await login({ ...other, account: host.account }, 'true')).exitCode, 0, 'accounts are not shared');
    }
    const writable = ['/etc', '/usr', '/var', '/root', '/work', '/opt']
      .map((folder) => `test -w ${folder} && echo ${folder}`)
      .join('; ');
    t.equal((await login(alpha, `${writable}; true`)).stdout, '');
    t.equal(
      (
        await login(
          alpha,
          'touch /srv/jobs/x /srv/monitoring/x /tmp/x && cp /usr/bin/python3 /tmp/y && /tmp/y -c "print(7)"',
        )
      ).stdout,
      '7',
    );
    t.notOk(existsSync('/tmp/y') || existsSync('/srv/jobs'));
  });

  await t.test('audit: an execution is recorded with its account, and its parent can be named', async (t) => {
    for (const host of LAB_HOSTS) {
      const marker = `mark${host.uid}ssh`;
      await execa('python3', ['-c', 'pass', `outside${marker}`]);
      await login(
        host,
        `/usr/bin/python3 -c 'import socket as s; s.socket().connect_ex(("127.0.0.1", 9))' ${marker}; true`,
      );
      const event = await auditEvent(new RegExp(`type=EXECVE .*a0="/usr/bin/python3".*"${marker}"`));
      t.equal(field(event, 'uid'), String(host.uid));
      t.equal(field(event, 'auid'), String(host.uid));
      t.equal(field(event, 'exe'), '"/usr/bin/python3.11"');
      const shell = await auditEvent(new RegExp(`type=SYSCALL .* pid=${field(event, 'ppid')} .*exe="/usr/bin/bash"`));
      t.equal(await makerOf(field(event, 'pid')), '"/usr/bin/bash"');
      t.equal(await makerOf(field(shell, 'pid')), '"/usr/sbin/sshd"');
      const connect = await auditEvent(
        new RegExp(`type=SYSCALL .* pid=${field(event, 'pid')} .*key="detproof-connect"`),
      );
      t.match(field(connect, 'saddr'), /^02000009/, 'AF_INET, port 9');
    }
    t.notOk(
      auditLines().some((line) => line.includes('outsidemark')),
      'nothing outside the lab is recorded',
    );
    const strangers = auditLines().filter(
      (line) =>
        / key="detproof-(exec|connect|fork|daemon)"/.test(line) &&
        line.startsWith('type=SYSCALL') &&
        !/ uid=6010[12] | auid=6010[12] | exe="\/usr\/sbin\/(sshd|cron)"/.test(line),
    );
    t.strictSame(strangers, []);
  });

  await t.test(
    'cron: a one-shot entry runs in its host, and cron can be named as its maker',
    { timeout: 150_000 },
    async (t) => {
      const at = new Date(Date.now() + 65_000);
      const entry = `${at.getMinutes()} ${at.getHours()} ${at.getDate()} ${at.getMonth() + 1} * /usr/bin/python3 -c "import os, socket; print(os.getuid(), socket.gethostname())" markcron > ~/ran`;
      const { exitCode } = await login(beta, `echo '${entry}' | crontab - && crontab -l`);
      t.equal(exitCode, 0);
      const ran = async (): Promise<boolean> => (await login(beta, 'test -s ~/ran')).exitCode === 0;
      for (let tries = 0; tries < 140 && !(await ran()); tries += 1)
        await new Promise((resolve) => setTimeout(resolve, 1000));
      t.equal((await login(beta, 'cat ~/ran; crontab -r')).stdout, '60102 lab-beta');
      const event = await auditEvent(/type=EXECVE .*a0="\/usr\/bin\/python3".*"markcron"/);
      t.equal(field(event, 'auid'), '60102');
      const shell = field(event, 'ppid');
      t.equal(await makerOf(shell), '"/usr/sbin/cron"');
    },
  );

  await t.test(
    'syslog: a line of each host arrives at its own socket, also after the collector came back',
    async (t) => {
      for (const round of ['first', 'second']) {
        const [one, two] = [await listenForSyslog(alpha), await listenForSyslog(beta)];
        await login(alpha, `logger -t detproof ${round}-alpha`);
        await login(beta, `/usr/bin/python3 -c 'import syslog; syslog.syslog("${round}-beta")'`);
        t.ok(
          await waitUntil(
            () => one.lines().includes(`${round}-alpha`) && two.lines().includes(`${round}-beta`),
            30_000,
          ),
        );
        t.notOk(one.lines().includes('beta'));
        t.match(one.lines(), /sshd\[\d+\]: Accepted publickey for alice from 127\.0\.0\.1/);
        await Promise.all([one, two].map(({ server }) => new Promise((resolve) => server.close(resolve))));
      }
    },
  );

  await t.test('faults: clock, python, sshd and auditd can each be broken and mended', async (t) => {
    await setClock(stateDir, 'lab-alpha', 600);
    const read = 'python3 -c "import time; print(time.time())"';
    const offsetSeconds = async (host: LabHost) => Number((await login(host, read)).stdout) - Date.now() / 1000;
    t.ok(Math.abs((await offsetSeconds(alpha)) - 600) < 5);
    t.ok(Math.abs(await offsetSeconds(beta)) < 5);
    await setClock(stateDir, 'lab-alpha', -600);
    t.ok(Math.abs((await offsetSeconds(alpha)) + 600) < 5);
    await setClock(stateDir, 'lab-alpha', 0);
    t.ok(Math.abs(await offsetSeconds(alpha)) < 5);

    await hidePython(stateDir, 'lab-beta');
    t.equal((await login(beta, 'python3 -c pass')).exitCode, 127);
    t.equal((await login(alpha, 'python3 -c pass')).exitCode, 0);
    await restorePython(stateDir, 'lab-beta');
    t.equal((await login(beta, 'python3 -c pass')).exitCode, 0);

    await stopHostSshd(stateDir, 'lab-beta');
    t.match(await login(beta, 'true'), { exitCode: 255, stderr: /Connection refused/ });
    await startHostSshd(stateDir, 'lab-beta');
    t.equal((await login(beta, 'hostname')).stdout, 'lab-beta');

    await stopAuditd(stateDir);
    t.match(await readAuditStatus(), { enabled: 0, pid: 0 });
    t.equal((await status({ stateDir })).is, 'partly');
    await login(alpha, '/bin/true unseenmark');
    await startAuditd(stateDir);
    await login(alpha, '/bin/true seenmark');
    t.not((await auditEvent(/type=EXECVE .*"seenmark"/)).length, 0);
    t.equal((await auditEvent(/unseenmark/)).length, 0);
    t.equal((await status({ stateDir })).is, 'whole');
  });

  await t.test('down: the machine is as it was, and doing it again does nothing', async (t) => {
    const session = login(alpha, 'trap "" TERM; sleep 300');
    await waitUntil(() => processesOfLabHosts().some(({ argv }) => argv[1] === '300'), 30_000);
    t.strictSame(await down({ stateDir }), { wasUp: true, leftBehind: [], installed: [] });
    t.strictSame(await lookWhileNoLabIsUp(), before);
    t.not((await session).exitCode, 0);
    t.ok(existsSync(files.auditLog), 'logs stay');
    for (const file of [files.clientKey, files.knownHosts, files.state])
      t.notOk(existsSync(file), `${path.basename(file)} is gone`);
    t.strictSame(await down({ stateDir, dropLogs: true }), { wasUp: false, leftBehind: [], installed: [] });
    t.notOk(existsSync(files.auditLog));
    await t.rejects(stopAuditd(stateDir), { reason: 'lab-not-up', message: /Bring it up first/ });
  });

  await t.test(
    'down: after kill -9 of everything, with either copy of the state lost, the machine is as it was',
    async (t) => {
      for (const lost of [files.state, runtimeFiles.state]) {
        const { auditd } = await up({ stateDir, waitMs: WAIT_MS, tied: true, withoutSiem: true });
        for (const { pid } of processesOfLabHosts()) process.kill(pid, 'SIGKILL');
        if (auditd !== undefined) process.kill(auditd, 'SIGKILL');
        rmSync(lost);
        t.strictSame(await down({ stateDir }), { wasUp: true, leftBehind: [], installed: [] });
        t.strictSame(await lookWhileNoLabIsUp(), before);
      }
    },
  );

  await t.test('down: after an up that was killed at any moment, the machine is as it was', async (t) => {
    for (const afterMs of [150, 300, 500, 600, 700, 800, 900, 1000, 1200, 1500, 2000, 3000]) {
      await runUp(stateDir, `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${afterMs});`);
      t.comment(
        `killed after ${afterMs} ms: ${existsSync(runtimeFiles.state) ? (await status({ stateDir })).is : 'not begun'}`,
      );
      t.strictSame((await down({ stateDir })).leftBehind, []);
      t.strictSame(await lookWhileNoLabIsUp(), before);
    }
  });

  await t.test('up: removes an abandoned lab of another state folder first', async (t) => {
    const other = `${stateDir}-abandoned`;
    await runUp(other, '', `process.kill(process.pid, 'SIGKILL');`);
    t.ok(existsSync(RUNTIME_DIR));
    t.equal((await up({ stateDir, waitMs: WAIT_MS, tied: true, withoutSiem: true })).is, 'whole');
    t.equal((await login(alpha, 'hostname')).stdout, 'lab-alpha');
    // Stand-ins may bring rules of their own.
    t.equal((await listLabRules()).filter((rule) => / key=detproof-[a-z]+$/.test(rule)).length, 24);
    t.strictSame(await down({ stateDir }), { wasUp: true, leftBehind: [], installed: [] });
    t.strictSame(await lookWhileNoLabIsUp(), before);
  });
});
