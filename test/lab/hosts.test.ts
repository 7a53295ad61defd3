import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { hidePython, restorePython, startHostSshd, stopHostSshd } from '../../lab/range/faults.ts';
import { readJournal } from '../../runner/store/journal.ts';
import { requirement } from '../require.ts';
import { assessment, execution, hidden, type Lab, withLab } from './lab-kit.ts';
import { processesOf, targetState } from './target-state.ts';

/** A scenario of the test's own: its payload, run from the neutral folder. */
function scenario(payload: string, more = ''): string {
  return `title: A test of its own
analytic: AN0174
element: ScriptDir
purpose: emulation
why: a test
steps:
  - python: { script: ${payload}, args: ['{{marker}}'] }
    timeout: 4s
expect:
  event: { sources: ['auditd:SYSCALL/execve'], within: 60s, context: [process] }
  alert: { rule: python-script-in-hidden-directory, within: 5m, stance: must-alert }
${more}`;
}

const payloads = {
  'payloads/dies.py': `def behaviour(arguments):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
`,
  'payloads/stays.py': `def behaviour(arguments):
    import os, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        os._exit(0)
    time.sleep(600)
    return {'did': 'slept'}
`,
  'payloads/shouts.py': `def behaviour(arguments):
    import sys
    out = sys.stdout.buffer
    out.write(b'\\x1b[2J\\x1b]0;title\\x07</script><img src=x onerror=alert(1)>\\xff\\xfe\\n')
    for _ in range(10 * 1024):
        out.write(b'x' * 1023 + b'\\n')
    out.flush()
    return {'did': '\\x1b[31m</script><img src=x>\\u202egnirts'}
`,
};

/** Text of every file below a folder. */
function contents(folder: string): readonly (readonly [string, string])[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => statSync(name).isFile())
    .map((name) => [name, readFileSync(name, 'latin1')]);
}

function logins(lab: Lab): number {
  return readFileSync(join(lab.stateDir, 'siem/events.ndjson'), 'utf8').split('Accepted publickey').length;
}

t.test('hosts: a real lab, and hosts that cannot be used or do not behave', async (t) => {
  await withLab(t, async (lab) => {
    const library = lab.extendLibrary({
      ...payloads,
      'linux/test-dies.yaml': scenario('dies.py'),
      'linux/test-stays.yaml': scenario('stays.py'),
      'linux/test-shouts.yaml': scenario('shouts.py'),
    });
    const own = ['--no-variants', '-l', library];
    const before = await targetState();

    /** lab-beta is not run, for this reason; lab-alpha goes on. */
    const onlyAlpha = async (t: Test, inventory: string, reasonClass: string, detail: RegExp): Promise<void> => {
      const { report, exitCode } = await lab.run(hidden, { inventory });
      t.equal(exitCode, 3);
      t.equal(assessment(report, 'lab-alpha', hidden).verdict, 'detected');
      const { verdict, sentence } = assessment(report, 'lab-beta', hidden);
      t.equal(verdict, 'not-run');
      t.match(sentence, detail);
      const outcome = execution(report, 'lab-beta', hidden).execution?.outcome;
      t.match(outcome, { kind: 'not-run', why: { class: reasonClass } });
      t.equal(report.targets.find(({ id }) => id === 'lab-beta')?.reached, false);
    };

    await t.test('host unreachable: not-run with the reason, the other goes on', async (t) => {
      await stopHostSshd(lab.stateDir, 'lab-beta');
      try {
        await onlyAlpha(t, lab.inventory(), 'unreachable', /2222/);
      } finally {
        await startHostSshd(lab.stateDir, 'lab-beta');
      }
    });

    await t.test('wrong host key: not-run with the reason, the other goes on', async (t) => {
      const known = readFileSync(join(lab.stateDir, 'known_hosts'), 'utf8');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(lab.folder, 'other')]);
      const [kind, key] = readFileSync(join(lab.folder, 'other.pub'), 'utf8').split(' ');
      const lines = known.split('\n').filter((line) => line.includes(':2221'));
      writeFileSync(
        join(lab.folder, 'known_hosts'),
        [...lines, `[127.0.0.1]:2222 ${kind ?? ''} ${key ?? ''}`, ''].join('\n'),
      );
      const inventory = lab.inventory('wrong-key.yaml', (text) =>
        text.replaceAll(join(lab.stateDir, 'known_hosts'), join(lab.folder, 'known_hosts')),
      );
      await onlyAlpha(t, inventory, 'host-key', /host key/i);
    });

    await t.test('wrong login: not-run with the reason, tried once, the other goes on', async (t) => {
      const inventory = lab.inventory('wrong-login.yaml', (text) =>
        text.replace(/name: bob, key: 'file:[^']*'/, `name: bob, key: 'file:${join(lab.folder, 'other')}'`),
      );
      const refused = (): number =>
        readFileSync(join(lab.stateDir, 'siem/events.ndjson'), 'utf8').split(
          /Connection closed by authenticating user bob/,
        ).length;
      const first = refused();
      await onlyAlpha(t, inventory, 'login', /bob/);
      t.ok(refused() - first <= 1, 'one attempt');
    });

    await t.test('no python: not-run with the reason, the other goes on', async (t) => {
      await hidePython(lab.stateDir, 'lab-beta');
      try {
        await onlyAlpha(t, lab.inventory(), 'not-started', /python3/);
      } finally {
        await restorePython(lab.stateDir, 'lab-beta');
      }
    });

    await t.test('payload killed half-way: broken off, inconclusive, never prevented, clean-up done', async (t) => {
      const { report, exitCode } = await lab.run('linux/test-dies', { args: own });
      t.equal(exitCode, 3);
      const { execution: done } = execution(report, 'lab-alpha', 'linux/test-dies');
      t.match(done?.outcome, { kind: 'broken-off' });
      t.ok(done?.receipt.started, 'started');
      t.equal(assessment(report, 'lab-alpha', 'linux/test-dies').verdict, 'inconclusive');
      t.same(done?.cleanup.leftBehind, []);
      t.same(await targetState(), before);
    });

    await t.test('process that ignores SIGTERM, and its child in a session of its own: really gone', async (t) => {
      const { report, exitCode } = await lab.run('linux/test-stays', { args: own });
      t.equal(exitCode, 3);
      t.match(execution(report, 'lab-beta', 'linux/test-stays').execution?.outcome, { kind: 'broken-off' });
      for (const uid of [60101, 60102]) t.same(processesOf(uid), []);
      t.same(await targetState(), before);
    });

    await t.test('hostile output: cut with a note, shown escaped, never executed', async (t) => {
      const { report, stdout, stderr, path } = await lab.run('linux/test-shouts', { args: own });
      const { execution: done } = execution(report, 'lab-alpha', 'linux/test-shouts');
      t.match(done?.outcome, { kind: 'finished' });
      const step = done?.commands.find(({ purpose }) => purpose === 'step 1');
      t.equal(step?.truncated, true);
      t.ok((step?.stdout.bytes ?? 0) <= 2 * 1024 * 1024, 'bounded');
      const page = readFileSync(join(path, 'reports/matrix.html'), 'utf8');
      for (const shown of [page, stdout, stderr]) {
        t.notOk(shown.includes(String.fromCharCode(27)), 'no escape character');
        t.notMatch(shown, /<img src=x/);
        t.notOk(shown.includes('\u202e'), 'no character that turns the text around');
      }
    });

    await t.test('execute and observe: two machines, two copies of the files', async (t) => {
      const here = lab.out('here');
      const executed = await lab.detproof([
        'execute',
        '--yes',
        '-i',
        lab.inventory(),
        '-o',
        here,
        '-s',
        hidden,
        '--no-variants',
      ]);
      t.equal(executed.exitCode, 0, executed.stderr);
      t.notOk(existsSync(join(here, 'latest/run.json')), 'no verdicts yet');
      const there = lab.out('there');
      cpSync(here, there, { recursive: true, verbatimSymlinks: true });
      // The other machine reaches the SIEM and no host.
      const inventory = lab.inventory('observer.yaml', (text) =>
        text.replace('port: 2221', 'port: 9').replace('port: 2222', 'port: 9'),
      );
      const loginsBefore = logins(lab);
      const observed = await lab.detproof(['observe', '-i', inventory, '-o', there, '--json']);
      t.equal(observed.exitCode, 0, observed.stderr);
      const report = JSON.parse(observed.stdout) as Parameters<typeof assessment>[0];
      t.equal(assessment(report, 'lab-alpha', hidden).verdict, 'detected');
      t.equal(logins(lab), loginsBefore, 'no host was touched');
      t.notOk(existsSync(join(here, 'latest/run.json')), 'the first copy is as it was');
    });

    await t.test('secrets: planted in every place, found nowhere', async (t) => {
      const secret = `Pl4nted-${'s3cret'.repeat(2)}-Zq9`;
      const key = join(lab.folder, 'encrypted');
      cpSync(join(lab.stateDir, 'id_ed25519'), key);
      execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', secret, '-f', key]);
      writeFileSync(join(lab.folder, 'passphrase'), `${secret}\n`, { mode: 0o600 });
      const keyText = readFileSync(key, 'latin1');
      const keyBody = keyText.split('\n')[3] ?? '';
      const chatty = join(lab.folder, 'chatty');
      cpSync(library, chatty, { recursive: true });
      const leak = `def behaviour(arguments):\n    print(${JSON.stringify(secret)})\n    return {'did': ${JSON.stringify(secret)}}\n`;
      writeFileSync(join(chatty, 'payloads/leaks.py'), leak);
      writeFileSync(join(chatty, 'linux/test-leaks.yaml'), scenario('leaks.py'));
      const seen = new Set<string>();
      const watch = setInterval(() => {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
          try {
            seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
          } catch {
            // It ended meanwhile.
          }
      }, 50);
      try {
        const places: readonly (readonly [string, string])[] = [
          ['env', `passphrase: 'env:TEST_PASSPHRASE'`],
          ['file', `passphrase: 'file:${join(lab.folder, 'passphrase')}'`],
          ['exec', `passphrase: 'exec:cat ${join(lab.folder, 'passphrase')}'`],
        ];
        for (const [name, passphrase] of places) {
          const out = lab.out(`secret-${name}`);
          const inventory = lab.inventory(`secret-${name}.yaml`, (text) =>
            text.replaceAll(/key: 'file:[^']*'/g, `key: 'file:${key}', ${passphrase}`),
          );
          const ended = await lab.run('linux/test-leaks', {
            inventory,
            out,
            args: ['--no-variants', '-l', chatty],
            env: { TEST_PASSPHRASE: secret },
          });
          t.match(
            execution(ended.report, 'lab-alpha', 'linux/test-leaks').execution?.outcome,
            { kind: 'finished' },
            `${name}: logged in`,
          );
          for (const hit of [secret, Buffer.from(secret).toString('base64').replace(/=+$/, ''), keyBody]) {
            t.notOk(ended.stdout.includes(hit) || ended.stderr.includes(hit), `${name}: not printed`);
            const files = contents(out).filter(([, text]) => text.includes(hit));
            t.same(
              files.map(([file]) => file),
              [],
              `${name}: in no file`,
            );
          }
        }
        // A wrong passphrase is an error that does not repeat it.
        const inventory = lab.inventory('secret-wrong.yaml', (text) =>
          text.replaceAll(/key: 'file:[^']*'/g, `key: 'file:${key}', passphrase: 'env:TEST_PASSPHRASE'`),
        );
        const wrong = await lab.run(hidden, {
          inventory,
          out: lab.out('secret-wrong'),
          env: { TEST_PASSPHRASE: `${secret}-wrong` },
        });
        t.equal(wrong.exitCode, 3);
        t.notOk(
          `${wrong.stdout}${wrong.stderr}${contents(lab.out('secret-wrong'))
            .map(([, text]) => text)
            .join('')}`.includes(secret),
        );
      } finally {
        clearInterval(watch);
      }
      t.same(
        [...seen].filter((line) => line.includes(secret)),
        [],
        'in no process list',
      );
      t.same(
        contents(join(lab.stateDir, 'logs'))
          .filter(([, text]) => text.includes(secret))
          .map(([file]) => file),
        [],
        'in no log of the lab',
      );
    });

    await t.test('output folder: full, read-only, or a file: refused before a host is touched', async (t) => {
      const inventory = lab.inventory();
      const loginsBefore = logins(lab);
      const refused = async (out: string, what: RegExp): Promise<void> => {
        const ended = await lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', hidden]);
        t.equal(ended.exitCode, 4);
        t.match(ended.stderr, what);
        t.notMatch(ended.stderr, /\bat .*\.ts:\d+/, 'no stack trace');
      };
      const file = join(lab.folder, 'a-file');
      writeFileSync(file, '');
      await refused(file, /cannot be (written|made)/);
      const full = join(lab.folder, 'full');
      const locked = join(lab.folder, 'locked');
      mkdirSync(full);
      mkdirSync(locked);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full]);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', locked]);
      } catch (error) {
        requirement(t, 'mount', String(error));
        return;
      }
      try {
        writeFileSync(join(full, 'filler'), Buffer.alloc(48 * 1024));
        await refused(full, /full|MiB free|make room/i);
        await refused(locked, /cannot be written/);
      } finally {
        execFileSync('umount', [full]);
        execFileSync('umount', [locked]);
      }
      t.equal(logins(lab), loginsBefore, 'no host was touched');
    });

    await t.test('journal: of every run here verifies line by line', async (t) => {
      for (const run of readdirSync(join(lab.out(), 'runs'))) {
        const { records, torn } = await readJournal(join(lab.out(), 'runs', run, 'journal.jsonl'));
        t.ok(records.length > 0 && torn.byteLength === 0, run);
      }
    });
    t.same(await targetState(), before, 'nothing is left on the targets');
  });
});
