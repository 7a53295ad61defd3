import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeCertificates } from '../../lab/standins/windows/certificates.ts';
import { WindowsHost } from '../../lab/standins/windows/host.ts';
import { eventLogFiles } from '../../lab/standins/windows/machine/event-log.ts';
import { parseSettings } from '../../lab/standins/windows/settings.ts';
import type { WindowsSettingsInput } from '../../lab/standins/windows/settings.ts';

/** Of every account of the test's stand-in. */
export const password = 'Grüße, "quoted" & long';

/** An id that no account of the machine has, for Python to run under. */
const uid = 60_205;

/** A Windows stand-in for a test, in a folder of its own. */
export type TestHost = AsyncDisposable & {
  readonly host: WindowsHost;
  readonly folder: string;
  /** Port of plain HTTP; the next is HTTPS with everything on, then HTTPS with channel bindings demanded, then HTTP unencrypted. */
  readonly ports: readonly number[];
  /** Certificates, as makeCertificates(…) names them. */
  readonly certificates: string;
  /** The events that were written so far. */
  readonly events: (from: keyof typeof eventLogFiles) => readonly LoggedEvent[];
};

export type LoggedEvent = {
  readonly System: { readonly EventID: number; readonly Channel: string; readonly Computer: string };
  readonly EventData: Readonly<Record<string, string | number | boolean>>;
};

export async function startTestHost(more: Partial<WindowsSettingsInput> = {}): Promise<TestHost> {
  const folder = mkdtempSync(path.join(tmpdir(), 'standin-windows-'));
  chmodSync(folder, 0o755);
  const certificates = path.join(folder, 'certificates');
  mkdirSync(certificates, { mode: 0o700 });
  const passwordFile = path.join(certificates, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const { ca, cert, key } = await makeCertificates(certificates, ['dana', 'nobody']);
  const tls = { certFile: cert, keyFile: key, caFile: ca };
  const address = '127.0.0.1';
  const eventLogs = path.join(folder, 'events');
  const host = await WindowsHost.start(
    parseSettings({
      name: 'LAB-WINDOWS',
      folder: path.join(folder, 'host'),
      eventLogs,
      uid,
      accounts: [
        { name: 'dana', passwordFile },
        { name: 'adm-lena', passwordFile, role: 'admin' },
        { name: 'guest', passwordFile, remoteManagement: false },
      ],
      listeners: [
        { address, port: 0 },
        { address, port: 0, auth: { basic: true, certificate: true }, tls },
        { address, port: 0, auth: { cbtHardeningLevel: 'strict' }, tls },
        { address, port: 0, auth: { basic: true, allowUnencrypted: true } },
      ],
      ...more,
    }),
  );
  return {
    host,
    folder,
    ports: host.ports,
    certificates,
    events: (from) =>
      contents(path.join(eventLogs, eventLogFiles[from]))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LoggedEvent),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A log is made with its first event. */
function contents(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
