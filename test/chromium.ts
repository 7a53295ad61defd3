import { access } from 'node:fs/promises';
import { execa } from 'execa';
import { type Browser, chromium } from 'playwright-core';

const path = '/usr/bin/chromium';

/**
 * Debian's Chromium, or why it cannot be had. As root, and where everything must be there (DETPROOF_REQUIRE=all or CI),
 * it is installed first; it starts no service.
 */
export async function findChromium(): Promise<{ readonly path: string } | { readonly missing: string }> {
  if (await isThere()) return { path };
  const mayInstall = process.env.DETPROOF_REQUIRE === 'all' || process.env.CI !== undefined;
  if (!mayInstall || process.getuid?.() !== 0) return { missing: `no ${path} (apt-get install chromium)` };
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const update = await execa('apt-get', ['update', '-q'], { env, reject: false });
  const install = await execa('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], {
    env,
    reject: false,
  });
  if (await isThere()) return { path };
  return { missing: `apt-get could not install chromium: ${install.stderr || update.stderr || install.message || ''}` };
}

/** Without the sandbox, which root cannot use, and without anything that calls home. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--no-first-run',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

async function isThere(): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
