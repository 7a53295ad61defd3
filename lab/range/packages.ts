import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { LabRefused } from './refused.ts';

/** What the lab needs from Debian. */
export const LAB_PACKAGES = ['auditd', 'cron', 'faketime', 'openssh-client', 'openssh-server', 'python3'] as const;

const POLICY = '/usr/sbin/policy-rc.d';
const DENY_ALL = '#!/bin/sh\nexit 101\n';
const PLACEHOLDER = '# Put here by detproof while it installs packages; without effect, and may be removed.\n';
const ROOT_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/**
 * Installs the packages that are missing and returns their names. No service of theirs is started, now or at the next boot.
 * `log` receives one line before anything is installed. Throws {@link LabRefused} when packages are missing and this
 * is not Debian, or we are not root, or when apt-get fails, with its words.
 */
export async function ensurePackages(
  names: readonly string[],
  log: (line: string) => void,
): Promise<readonly string[]> {
  const missing = await missingPackages(names);
  if (missing.length === 0) return [];
  const byHand = `Install by hand: ${missing.join(' ')}.`;
  if (!isDebian())
    throw new LabRefused(
      'not-debian',
      `Missing: ${missing.join(', ')}. detproof installs packages on Debian only. ${byHand}`,
    );
  if (process.getuid?.() !== 0)
    throw new LabRefused('not-root', `Missing: ${missing.join(', ')}. Installing them needs root. ${byHand}`);
  log(`installing Debian packages, which will stay: ${missing.join(' ')}`);
  await installQuietly(missing);
  const still = await missingPackages(missing);
  if (still.length > 0)
    throw new LabRefused('packages-missing', `apt-get did not install: ${still.join(', ')}. ${byHand}`);
  for (const name of missing) await disableServices(name);
  return missing;
}

/** Which of these Debian packages are not installed. Throws {@link LabRefused} where there is no dpkg. */
export async function missingPackages(names: readonly string[]): Promise<readonly string[]> {
  const format = '${db:Status-Status} ${Package}\\n';
  const { stdout, exitCode, shortMessage } = await execa('dpkg-query', ['-W', '-f', format, ...names], {
    reject: false,
    env: { LC_ALL: 'C' },
  });
  if (exitCode === undefined)
    throw new LabRefused(
      'not-debian',
      `The lab needs Debian's packages, and there is no dpkg here: ${shortMessage ?? ''}`,
    );
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.slice('installed '.length)),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * Installs under a policy that denies starting services (invoke-rc.d(8)). The policy is laid over {@link POLICY} in a mount
 * namespace that only apt-get sees, so that the machine's own policy is not touched and nothing is denied to anybody else,
 * even if we are killed. Where there is no policy, the place for it is a file that is not executable, and so without effect.
 */
async function installQuietly(names: readonly string[]): Promise<void> {
  const policy = `/run/detproof-policy-rc.d.${process.pid}`;
  writeFileSync(policy, DENY_ALL, { mode: 0o755 });
  if (!existsSync(POLICY)) writeFileSync(POLICY, PLACEHOLDER, { mode: 0o644 });
  try {
    const inside =
      'mount --no-mtab --bind "$0" "$1" && mount --no-mtab -o remount,bind,exec "$1" && shift && exec "$@"';
    await aptGet(['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', inside, policy, POLICY], names);
  } finally {
    rmSync(policy, { force: true });
    if (readFileSync(POLICY, 'utf8') === PLACEHOLDER) rmSync(POLICY);
  }
}

async function aptGet(prefix: readonly [string, ...string[]], names: readonly string[]): Promise<void> {
  const [file, ...rest] = prefix;
  const run = async (...args: readonly string[]): Promise<string | undefined> => {
    const env = { ...ROOT_ENVIRONMENT, DEBIAN_FRONTEND: 'noninteractive' };
    const result = await execa(file, [...rest, 'apt-get', '--yes', '--quiet', ...args], {
      stdin: 'ignore',
      env,
      reject: false,
    });
    return result.failed ? result.stderr || result.shortMessage : undefined;
  };
  const install = ['install', '--no-install-recommends', '--', ...names];
  if ((await run(...install)) === undefined) return;
  // A fresh image has no package lists, or old ones.
  const trouble = (await run('update')) ?? (await run(...install));
  if (trouble !== undefined)
    throw new LabRefused('packages-missing', `apt-get could not install ${names.join(' ')}: ${trouble}`);
}

/** A newly installed daemon would be started at the next boot; nobody asked for that. */
async function disableServices(name: string): Promise<void> {
  const { stdout } = await execa('dpkg-query', ['-L', name], { env: ROOT_ENVIRONMENT });
  const services = stdout.split('\n').flatMap((file) => /^\/etc\/init\.d\/(.+)$/.exec(file)?.[1] ?? []);
  for (const service of services) await execa('update-rc.d', [service, 'disable'], { env: ROOT_ENVIRONMENT });
}

function isDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
