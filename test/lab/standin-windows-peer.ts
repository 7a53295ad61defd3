import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { python, pythonPackages, pythonPackagesMissing } from '../python-packages.ts';

export type PeerName = 'pywinrm' | 'pypsrp';

/** What standin-windows-client.py is asked to do. */
export type PeerRequest = {
  readonly client: PeerName;
  readonly url: string;
  readonly auth: 'ntlm' | 'basic' | 'certificate' | 'negotiate';
  readonly user?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly encryption?: 'never';
  /** pypsrp: sends no channel binding. */
  readonly unbound?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly steps: readonly {
    readonly command: string;
    readonly arguments?: readonly string[];
    readonly stdin?: readonly string[];
    readonly interrupt?: boolean;
  }[];
};

export type PeerAnswer = {
  readonly results?: readonly { readonly stdout: string; readonly stderr: string; readonly code: number }[];
  readonly error?: string;
  readonly text?: string;
};

/** pywinrm's NTLM takes MD4 from OpenSSL, which has it in its legacy provider only (OPENSSL_PROVIDER-LEGACY(7)). */
const openssl = `openssl_conf = start
[start]
providers = offered
[offered]
default = switched_on
legacy = switched_on
[switched_on]
activate = 1
`;

/** Why this client is not here; undefined when it is. */
export async function peerMissing(client: PeerName): Promise<string | undefined> {
  if (client === 'pypsrp') return pythonPackagesMissing();
  const { failed } = await execa(python, ['-c', 'import winrm, requests_ntlm'], { reject: false });
  return failed ? 'pywinrm is not installed (Debian: apt-get install python3-winrm)' : undefined;
}

/** Lets the client do it, in a process of its own. */
export async function askPeer(request: PeerRequest): Promise<PeerAnswer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'standin-windows-peer-'));
  try {
    const config = path.join(folder, 'openssl.cnf');
    writeFileSync(config, openssl);
    const script = path.join(import.meta.dirname, 'standin-windows-client.py');
    const { stdout } = await execa(python, [script], {
      input: JSON.stringify({ user: 'dana', password: '', ...request }),
      // Debian's own modules for Debian's pywinrm.
      env: { OPENSSL_CONF: config, ...(request.client === 'pypsrp' && { PYTHONPATH: pythonPackages }) },
      timeout: 300_000,
    });
    return JSON.parse(stdout) as PeerAnswer;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
