import { execFile } from 'node:child_process';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import plugin from '../../../adapters/transports/ssh/index.ts';
import type { Platform } from '../../../runner/domain/attack.ts';
import type { Session } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { exec, failureOf, fileContract, processesWith, text } from '../../contract/transport-contract.ts';
import { FaultProxy } from '../../fault-proxy.ts';
import { requirement } from '../../require.ts';
import { Sshd, sshdMissing, type SshdOptions } from './sshd.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

type Login = {
  readonly account?: string;
  readonly platform?: Platform;
  readonly settings?: Readonly<Record<string, unknown>>;
};

function targetOn(sshd: Sshd, login: Login = {}): ReturnType<typeof authorizedTarget> {
  return authorizedTarget({
    address: '127.0.0.1',
    kind: 'ssh',
    settings: { port: sshd.port, knownHosts: sshd.knownHosts, ...login.settings },
    account: login.account ?? 'user',
    accountSettings: { key: `file:${sshd.key}` },
    ...(login.platform === undefined ? {} : { platform: login.platform }),
  });
}

function connect(sshd: Sshd, login: Login = {}): Promise<Session> {
  return plugin.open(realDeps).connect(targetOn(sshd, login), never);
}

async function start(t: Test, options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await Sshd.start(options);
  t.teardown(() => sshd[Symbol.asyncDispose]());
  return sshd;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await condition()) return true;
    await sleep(50);
  }
  return false;
}

async function missing(path: string, name: string): Promise<string | undefined> {
  return access(path).then(
    () => undefined,
    () => `${path} is not installed (Debian: apt-get install ${name})`,
  );
}

t.test('ssh: kinds of hosts, against a real sshd', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;

  t.test('ssh: zsh as the login shell: commands, words and both channels', async (t) => {
    if (!requirement(t, 'zsh', await missing('/usr/bin/zsh', 'zsh'))) return;
    const sshd = await start(t, { shell: '/usr/bin/zsh' });
    await writeFile(join(sshd.home('user'), '.zshrc'), 'PS1="%n %% "; RPS1="%~"; precmd() { echo precmd; }\n');
    await writeFile(join(sshd.home('user'), '.zshenv'), '');
    await using session = await connect(sshd, { platform: 'macos' });
    const odd = ["it's", '$HOME', '`id`', '!x', '*', '=ls', '~', '^a', 'a#b', '[x', '', '\\n'];
    for (const channel of ['exec', 'shell'] as const) {
      const outcome = await exec(session, ['/usr/bin/printf', '%s|', ...odd], { channel });
      t.equal(text(outcome.stdout), odd.map((word) => `${word}|`).join(''), channel);
      t.same((await exec(session, ['/bin/sh', '-c', 'exit 3'], { channel })).exit, { kind: 'code', code: 3 });
      t.equal(text((await exec(session, ['/bin/pwd'], { channel, cwd: '/usr/lib' })).stdout), '/usr/lib\n');
      const late = await exec(session, ['/bin/sleep', '345671'], { channel, timeoutMs: 500 });
      t.same(late.exit, { kind: 'timeout', survivors: [] });
    }
    const script = '#!/usr/bin/env python3\nprint("typed")\n';
    const typed = await exec(session, ['/usr/bin/python3', '-'], { channel: 'shell', stdin: Buffer.from(script) });
    t.equal(text(typed.stdout), 'typed\n', 'a line with ! in it is not changed');
    t.same(await processesWith('345671'), []);
  });

  t.test('ssh: macOS: what its privacy controls block is told from what rights forbid', async (t) => {
    const sshd = await start(t);
    const folder = join(sshd.home('user'), 'Desktop');
    await mkdir(folder);
    await run('chown', ['60123', folder]);
    const locked = await run('chattr', ['+i', folder]).then(
      () => undefined,
      () => 'this file system has no immutable folders (chattr +i), which give EPERM as macOS does',
    );
    if (!requirement(t, 'EPERM', locked)) return;
    t.teardown(() => run('chattr', ['-i', folder]));
    const plain = await start(t, { sftp: false });
    for (const server of [sshd, plain]) {
      await using mac = await connect(server, { platform: 'macos' });
      const put = (path: string): Promise<void> => mac.put({ path, bytes: Buffer.from('x'), mode: 0o600 }, never);
      t.match(await failureOf(t, put(join(folder, 'file')), 'file'), /blocked by macOS privacy controls \(TCC\)/);
      const forbidden = await failureOf(t, put('/etc/nobody-writes-here'), 'file');
      t.match(forbidden, /permission denied/i);
      t.notMatch(forbidden, /TCC/);
      await using linux = await connect(server);
      const other = linux.put({ path: join(folder, 'file'), bytes: Buffer.from('x'), mode: 0o600 }, never);
      t.notMatch(await failureOf(t, other, 'file'), /TCC/, 'only on macOS');
    }
  });

  t.test('ssh: ESXi: BusyBox ash, no SFTP program, root without signals, on both channels', async (t) => {
    if (!requirement(t, 'BusyBox', await missing('/bin/busybox', 'busybox'))) return;
    const sshd = await start(t, {
      sftp: false,
      config: ['Subsystem sftp /usr/lib/vmware/openssh/bin/no-sftp-server'],
      rootShell: '/run/ash',
      prepare: 'cp /bin/busybox /run/ash && for i in /bin/ps /bin/kill; do mount --bind /bin/busybox $i; done',
    });
    await fileContract(t, 'ssh, ESXi-like root', () =>
      Promise.resolve({
        transport: plugin.open(realDeps),
        target: targetOn(sshd, { account: 'root', platform: 'esxi' }),
        folder: sshd.home('root'),
      }),
    );
    await using session = await connect(sshd, { account: 'root', platform: 'esxi' });
    for (const channel of ['exec', 'shell'] as const) {
      const odd = ["it's", '$HOME', '`id`', '!x', '*', '', '\\n', '#'];
      const outcome = await exec(session, ['/usr/bin/printf', '%s|', ...odd], { channel });
      t.equal(text(outcome.stdout), odd.map((word) => `${word}|`).join(''), channel);
      t.same((await exec(session, ['/bin/sh', '-c', 'exit 3'], { channel })).exit, { kind: 'code', code: 3 });
      const stubborn = `trap '' TERM; setsid sleep 456712 & sleep 456712; sleep 456712`;
      const late = await exec(session, ['/bin/sh', '-c', stubborn], { channel, timeoutMs: 500 });
      t.same(late.exit, { kind: 'timeout', survivors: [] }, channel);
    }
    t.same(await processesWith('456712'), []);
  });

  t.test('ssh: a host without any process table: the process group is ended, and more is not claimed', async (t) => {
    const sshd = await start(t, { prepare: 'mount -t tmpfs tmpfs /proc' });
    await using session = await connect(sshd);
    t.equal(text((await exec(session, ['/bin/sh', '-c', 'ls /proc'])).stdout), '', 'there is no /proc');
    const late = await exec(session, ['/bin/sleep', '567123'], { timeoutMs: 500 });
    t.same(late.exit, { kind: 'timeout', survivors: [] });
    const stubborn = `trap '' TERM; sleep 567123 & sleep 567123; sleep 567123`;
    // Whether a dead one that nobody has collected still lives cannot be told without a table.
    t.match(await exec(session, ['/bin/sh', '-c', stubborn], { timeoutMs: 500 }), { exit: { kind: 'timeout' } });
    t.same(await processesWith('567123'), []);
  });

  t.test('ssh: privilege admin: by sudo -n, without a password ever, and refused where it cannot be', async (t) => {
    if (!requirement(t, 'sudo', await missing('/usr/bin/sudo', 'sudo'))) return;
    const bind = '&& chmod 440 "$0/sudoers" && mount --bind "$0/sudoers" /etc/sudoers';
    const pam = { password: 'never given' };
    const allowed = await start(t, { pam, prepare: `echo "user ALL=(root) NOPASSWD: ALL" >"$0/sudoers" ${bind}` });
    const asking = await start(t, { pam, prepare: `echo "user ALL=(root) ALL" >"$0/sudoers" ${bind}` });
    const nobody = await start(t, { pam, prepare: `: >"$0/sudoers" ${bind}` });
    await using session = await connect(allowed);
    for (const channel of ['exec', 'shell'] as const) {
      const outcome = await exec(session, ['/usr/bin/id', '-u'], { channel, privilege: 'admin' });
      t.equal(text(outcome.stdout), '0\n', channel);
      t.match(outcome.sent, /'?sudo'? -n -- \/usr\/bin\/id -u$/);
    }
    t.equal(text((await exec(session, ['/usr/bin/id', '-un'])).stdout), 'user\n', 'only where it is asked for');
    const failed = await exec(session, ['/bin/sh', '-c', 'echo no >&2; exit 1'], { privilege: 'admin' });
    t.match(failed, { exit: { kind: 'code', code: 1 } }, 'the command’s own failure is no refusal');
    const stubborn = `trap '' TERM; setsid sleep 678123 & sleep 678123; sleep 678123`;
    const late = await exec(session, ['/bin/sh', '-c', stubborn], { privilege: 'admin', timeoutMs: 700 });
    t.same(late.exit, { kind: 'timeout', survivors: [] }, 'processes of root are ended too');
    t.same(await processesWith('678123'), []);
    for (const [server, expected] of [
      [asking, /password is required.*NOPASSWD/],
      [nobody, /NOPASSWD/],
    ] as const) {
      await using other = await connect(server);
      for (const channel of ['exec', 'shell'] as const)
        t.match(
          await failureOf(t, exec(other, ['/usr/bin/id'], { channel, privilege: 'admin' }), 'not-started'),
          expected,
        );
    }
    await using root = await connect(nobody, { account: 'root' });
    const own = await exec(root, ['/usr/bin/id', '-u'], { privilege: 'admin' });
    t.match(own.sent, /^echo [\da-f]+-\$\$ && exec \/usr\/bin\/id -u$/, 'root needs no sudo');
  });

  t.test('ssh: a full disk on the host is said to be full, and half a file does not stay', async (t) => {
    const small = 'mkdir "$0/home/user/small" && mount -t tmpfs -o size=64k,mode=777 tmpfs "$0/home/user/small"';
    for (const sftp of [true, false]) {
      const sshd = await start(t, { sftp, prepare: small });
      await using session = await connect(sshd);
      const folder = `${sshd.home('user')}/small`;
      const big = { path: `${folder}/big`, bytes: new Uint8Array(200_000), mode: 0o600 };
      t.match(await failureOf(t, session.put(big, never), 'file'), /no space is left/, sftp ? 'SFTP' : 'commands');
      t.equal(text((await exec(session, ['/bin/ls', folder])).stdout), '', 'nothing stays');
      const step = await exec(session, ['/bin/dd', 'if=/dev/zero', `of=${folder}/x`, 'bs=1k', 'count=200']);
      t.match(step, { exit: { kind: 'code', code: 1 } });
      t.match(text(step.stderr), /No space left/, 'a step says it in its own words');
    }
  });
});

t.test('ssh: bad networks, through a proxy that does what they do', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;
  const sshd = await start(t);
  const behind = async (t: Test): Promise<{ proxy: FaultProxy; login: Login }> => {
    const proxy = await FaultProxy.start({ port: sshd.port });
    t.teardown(() => proxy[Symbol.asyncDispose]());
    const knownHosts = join(sshd.folder, `known_hosts.${proxy.port}`);
    const { stdout } = await run('cat', [join(sshd.folder, 'host_ed25519.pub')]);
    await writeFile(knownHosts, `[127.0.0.1]:${proxy.port} ${stdout}`);
    return { proxy, login: { settings: { port: proxy.port, knownHosts, keepalive: '300ms', connectTimeout: '2s' } } };
  };

  t.test('ssh: cut before, in and after the login', async (t) => {
    const { proxy, login } = await behind(t);
    proxy.refuse();
    t.match(await failureOf(t, connect(sshd, login), 'unreachable'), /MaxStartups/);
    proxy.heal();
    for (const bytes of [0, 10, 700, 1_500]) {
      proxy.dropAfter(bytes);
      t.match(await failureOf(t, connect(sshd, login), 'unreachable'), /cannot be reached|broke the connection off/);
    }
    proxy.heal();
    proxy.corruptAfter(1_400);
    const corrupt = await connect(sshd, login).then(
      () => 'connected',
      (error: unknown) => (error as { class: string }).class,
    );
    t.ok(['unreachable', 'protocol'].includes(corrupt), `a changed byte is noticed (${corrupt})`);
    proxy.heal();
    proxy.hang();
    t.match(await failureOf(t, connect(sshd, login), 'unreachable'), /within 2s/);
    proxy.heal();
    await using session = await connect(sshd, login);
    t.ok(session);
  });

  t.test('ssh: cut before, during and after a command: what is not known is said to be unknown', async (t) => {
    const { proxy, login } = await behind(t);
    for (const channel of ['exec', 'shell'] as const) {
      const during = await connect(sshd, login);
      const running = exec(during, ['/bin/sleep', '789123'], { channel });
      t.ok(await until(async () => (await processesWith('789123')).length === 1));
      proxy.drop();
      t.match(await failureOf(t, running, 'lost'), /may have run, or may still be running there.*unknown/);
      t.ok(
        await until(async () => {
          for (const pid of await processesWith('789123')) process.kill(pid, 'SIGKILL');
          return (await processesWith('789123')).length === 0;
        }),
      );
      await during[Symbol.asyncDispose]();
    }
    const before = await connect(sshd, login);
    proxy.drop();
    await failureOf(t, exec(before, ['/bin/true']), 'lost');
    await before[Symbol.asyncDispose]();

    const marker = join(sshd.home('user'), 'it-ran');
    const go = join(sshd.home('user'), 'go');
    const after = await connect(sshd, { settings: { ...login.settings, keepalive: '30s' } });
    const script = `while [ ! -e ${go} ]; do sleep 0.05; done; : >${marker}`;
    const failed = failureOf(t, exec(after, ['/bin/sh', '-c', script, '790123']), 'lost');
    t.ok(await until(async () => (await processesWith('790123')).length === 1));
    proxy.hang(['to-client']);
    await writeFile(go, '');
    t.ok(
      await until(() =>
        access(marker).then(
          () => true,
          () => false,
        ),
      ),
      'it ran',
    );
    proxy.drop();
    t.match(await failed, /unknown/, 'and the answer did not come');
    await after[Symbol.asyncDispose]();
  });

  t.test('ssh: a host that hangs is given up by its silence, a slow link is not', async (t) => {
    const { proxy, login } = await behind(t);
    const session = await connect(sshd, login);
    proxy.hang();
    t.match(await failureOf(t, exec(session, ['/bin/true']), 'lost'), /[Kk]eepalive/);
    await session[Symbol.asyncDispose]();
    proxy.heal();
    proxy.slow(60_000);
    const settings = { ...login.settings, keepalive: '10s', connectTimeout: '30s' };
    await using slow = await connect(sshd, { settings });
    const bytes = Uint8Array.from({ length: 60_000 }, (_, index) => (index * 31) % 256);
    const path = join(sshd.home('user'), 'slow');
    const began = Date.now();
    await slow.put({ path, bytes, mode: 0o600 }, never);
    t.ok(Date.now() - began > 900, 'it really was slow');
    t.ok(Buffer.from(await slow.get(path, { maxBytes: 60_000, signal: never })).equals(Buffer.from(bytes)));
    proxy.corruptAfter(500);
    t.match(
      await failureOf(t, slow.get(path, { maxBytes: 60_000, signal: never }), 'lost'),
      /lost/,
      'a changed byte ends the connection and is never taken for content',
    );
  });
});
