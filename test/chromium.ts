import { access } from 'node:fs/promises';
import { type Browser, chromium } from 'playwright-core';

const path = '/usr/bin/chromium';

/** Debian's Chromium, or why it cannot be had. */
export async function findChromium(): Promise<{ readonly path: string } | { readonly missing: string }> {
  return access(path).then(
    () => ({ path }),
    () => ({ missing: `no ${path} (apt-get install chromium)` }),
  );
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
