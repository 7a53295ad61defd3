import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import t from 'tap';
import plugin from '../../adapters/siems/files/index.ts';
import { hostFiles, LAB_HOSTS, runtimeFiles, stateFiles } from '../../lab/range/layout.ts';
import type { LabHost } from '../../lab/range/layout.ts';
import { endProcesses, startDaemon, waitUntil } from '../../lab/range/processes.ts';
import { findSiem } from '../../lab/range/siem.ts';
import { readOwnState } from '../../lab/range/state.ts';
import { setFaults } from '../../lab/siem/faults.ts';
import type { EventHit, Question } from '../../runner/domain/siem.ts';
import { instant, shift } from '../../runner/domain/time.ts';
import type { PluginDeps } from '../../runner/ports.ts';
import { realDeps } from '../contract/authorized-target.ts';
import { type Lab, project, withLab } from './lab-kit.ts';

const [execve, connect, syslog] = [
  'auditd:SYSCALL/execve',
  'auditd:SYSCALL/connect',
  'linux:syslog//var/log/syslog',
] as const;
/** Evidence is not looked at here. */
const deps: PluginDeps = {
  ...realDeps,
  keep: (bytes, mediaType) => Promise.resolve({ sha256: '0'.repeat(64), bytes: bytes.length, mediaType }),
};
const signal = new AbortController().signal;
let count = 0;

/** A marker that no other run of this test has. */
function newMarker(): string {
  count += 1;
  return `m${createHash('sha256').update(`${process.pid} ${Date.now()} ${count}`).digest('hex').slice(0, 24)}`;
}

/** Connects, logs and says what it is. */
const program = `import os, socket, sys, syslog
try: socket.create_connection(("127.0.0.1", 9))
except OSError: pass
syslog.syslog("checked " + sys.argv[1])
print(os.getpid(), os.readlink("/proc/self/exe"), os.getcwd())
`;

async function login(lab: Lab, host: LabHost, command: string, input = ''): Promise<string> {
  const { clientKey, knownHosts } = stateFiles(lab.stateDir);
  const options = ['-o', 'BatchMode=yes', '-o', `UserKnownHostsFile="${knownHosts}"`, '-i', clientKey];
  const target = ['-p', String(host.port), `${host.account}@127.0.0.1`];
  return (await execa('ssh', ['-F', 'none', ...options, ...target, command], { input })).stdout;
}

function siemOf(lab: Lab) {
  const settings = plugin.settings as unknown as { parse: (value: unknown) => Parameters<typeof plugin.open>[0] };
  const dataset = (value: string): Record<string, string> => ({ 'event.dataset': value });
  const sources = {
    [execve]: dataset('auditd.execve'),
    [connect]: dataset('auditd.connect'),
    [syslog]: dataset('syslog'),
  };
  return plugin.open(settings.parse({ path: stateFiles(lab.stateDir).siemStore, sources }), deps);
}

async function eventsOf(lab: Lab, markers: readonly string[], host: LabHost): Promise<readonly EventHit[]> {
  const now = instant(Date.now());
  const window = { from: shift(now, -300_000), to: shift(now, 60_000) };
  const traces = markers.map((marker) => ({ marker, hosts: [host.name] as const, processes: [], files: [], window }));
  const [first, ...rest] = traces;
  if (first === undefined) throw new Error('no marker');
  const question: Question = {
    traces: [first, ...rest],
    sources: [execve, connect, syslog],
    window: { ...window, basis: 'ingest' },
    limit: 1000,
  };
  const answer = await siemOf(lab).events(question, signal);
  if (!answer.complete.yes) throw new Error(answer.complete.because.detail);
  return answer.hits;
}

/** Asks until there are so many events of the marker, for a minute at most. */
async function eventsWhenThere(lab: Lab, marker: string, host: LabHost, atLeast: number): Promise<readonly EventHit[]> {
  await waitUntil(async () => (await eventsOf(lab, [marker], host)).length >= atLeast, 60_000);
  return eventsOf(lab, [marker], host);
}

t.test('lab SIEM: what real sshd, cron and auditd do on two hosts', async (t) => {
  await withLab(t, async (lab) => {
    const marks = new Map(LAB_HOSTS.map((host) => [host, newMarker()]));
    const jobs = new Map(LAB_HOSTS.map((host) => [host, newMarker()]));

    await t.test(
      'lab SIEM: both hosts at once: the three sources, each on its own host, as the program says of itself',
      async (t) => {
        await Promise.all(
          LAB_HOSTS.map(async (host) => {
            await login(lab, host, 'cat > check.py', program);
            const minute = `* * * * * /usr/bin/python3 check.py ${jobs.get(host) ?? ''} > /dev/null 2>&1\n`;
            await login(lab, host, 'crontab -', minute);
          }),
        );
        const said = await Promise.all(
          [...marks].map(([host, marker]) =>
            login(lab, host, `cd /var/tmp; python3 ~/check.py ${marker} "two words"; true`),
          ),
        );
        for (const [index, [host, marker]] of [...marks].entries()) {
          const hits = (await eventsWhenThere(lab, marker, host, 4)).filter(
            ({ fields }) => fields.process !== '/usr/bin/bash',
          );
          t.same(hits.map(({ source }) => source).sort(), [connect, execve, syslog], host.name);
          const [pid, executable, cwd] = said[index]?.split(' ') ?? [];
          for (const hit of hits)
            t.match(hit, {
              pid: Number(pid),
              fields: {
                host: host.name,
                user: host.account,
                process: hit.source === syslog ? 'check.py' : executable,
              },
            });
          const exec = hits.find(({ source }) => source === execve);
          t.match(exec?.fields, {
            'command-line': `python3 /home/${host.account}/check.py ${marker} two words`,
            script: `/home/${host.account}/check.py`,
            parent: '/usr/bin/bash',
            cwd,
          });
          t.match(hits.find(({ source }) => source === connect)?.fields, {
            destination: '127.0.0.1:9',
            parent: '/usr/bin/bash',
          });
          const lagMs = Date.parse(exec?.ingested ?? '') - Date.parse(exec?.time ?? '');
          t.ok(lagMs >= 0 && lagMs < 1000, `taken in after ${lagMs} ms`);
        }
        const [alpha, beta] = LAB_HOSTS as readonly [LabHost, LabHost];
        const wrong = await eventsOf(lab, [marks.get(alpha) ?? ''], alpha);
        t.notOk(wrong.some(({ fields }) => fields.host === beta.name));
      },
    );

    await t.test('lab SIEM: a session’s own program has sshd as its parent', async (t) => {
      const [host] = LAB_HOSTS as readonly [LabHost];
      const marker = newMarker();
      await login(lab, host, `exec python3 check.py ${marker}`);
      const hits = await eventsWhenThere(lab, marker, host, 4);
      const exec = hits.find(({ source, fields }) => source === execve && fields.process?.includes('python') === true);
      t.equal(exec?.fields.parent, '/usr/sbin/sshd');
    });

    await t.test(
      'lab SIEM: the audit log is rotated and the SIEM is killed in the middle of work: nothing lost, nothing twice',
      async (t) => {
        const [host] = LAB_HOSTS as readonly [LabHost];
        const markers = Array.from({ length: 24 }, newMarker);
        const script = markers.map((marker) => `python3 -c pass ${marker}; sleep 0.15`).join('\n');
        const work = login(lab, host, 'sh -s', script);
        await sleep(600);
        const auditd = readOwnState(lab.stateDir)?.auditd;
        if (auditd === undefined) throw new Error('no auditd');
        process.kill(auditd.pid, 'SIGUSR1');
        await sleep(500);
        for (const { pid } of findSiem()) process.kill(pid, 'SIGKILL');
        await sleep(700);
        process.kill(auditd.pid, 'SIGUSR1');
        await sleep(300);
        const main = path.join(project, 'lab/siem/main.ts');
        const log = path.join(stateFiles(lab.stateDir).logs, 'siem.log');
        await startDaemon([process.execPath, main, '--config', runtimeFiles.siemConfig], log);
        await work;
        t.ok(existsSync(`${stateFiles(lab.stateDir).auditLog}.1`), 'auditd has rotated');
        await eventsWhenThere(lab, markers.at(-1) ?? '', host, 1);
        const hits = await eventsOf(lab, markers, host);
        t.same(
          hits.map(({ marker, matched }) => [marker, matched.by]),
          markers.map((marker) => [marker, 'marker']),
        );
        t.ok(await waitUntil(() => existsSync(hostFiles(host.name).syslogSocket), 30_000));
        t.ok(findSiem().length === 1);
      },
    );

    await t.test('lab SIEM: one host is not forwarded: nothing of it arrives, the other is as before', async (t) => {
      const [alpha, beta] = LAB_HOSTS as readonly [LabHost, LabHost];
      await setFaults(lab.stateDir, { dropHosts: [beta.name] });
      const [mine, dropped] = [newMarker(), newMarker()];
      await Promise.all([
        login(lab, alpha, `python3 check.py ${mine}`),
        login(lab, beta, `python3 check.py ${dropped}`),
      ]);
      t.ok((await eventsWhenThere(lab, mine, alpha, 3)).length >= 3);
      t.same(await eventsOf(lab, [dropped], beta), []);
      await setFaults(lab.stateDir, {});
    });

    await t.test(
      'lab SIEM: a job of each host’s cron has its shell as the parent, and cron’s line is in syslog',
      async (t) => {
        for (const [host, marker] of jobs) {
          await waitUntil(async () => (await eventsOf(lab, [marker], host)).length >= 4, 70_000);
          const hits = await eventsOf(lab, [marker], host);
          const job = hits.find(
            ({ source, fields }) => source === execve && fields.process?.includes('python') === true,
          );
          t.match(job?.fields, { parent: '/usr/bin/dash', host: host.name, user: host.account });
          const shell = hits.find(({ source, fields }) => source === execve && fields.process === '/usr/bin/dash');
          t.equal(shell?.fields.parent, '/usr/sbin/cron');
          t.ok(hits.some(({ source, fields }) => source === syslog && fields.process === 'CRON'));
        }
      },
    );

    await t.test('lab SIEM: it ends when it is told to, and says nothing that troubles it', async (t) => {
      t.same(await endProcesses(findSiem, 5000), []);
      const said = readFileSync(path.join(stateFiles(lab.stateDir).logs, 'siem.log'), 'utf8');
      t.notMatch(said, /cannot|missing|Error/, said);
    });
  });
});
