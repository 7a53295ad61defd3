import { chownSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { install } from './machine/install.ts';
import { Machine } from './machine/machine.ts';
import { catalogue, programs, pythonLibraries } from './programs/catalogue.ts';
import type { WindowsSettings } from './settings.ts';
import { Listener } from './winrm/listener.ts';
import { ShellService } from './winrm/service.ts';

/** A Windows stand-in that runs: its machine behind its WinRM listeners and its door. */
export class WindowsHost implements AsyncDisposable {
  readonly machine: Machine;
  readonly service: ShellService;
  /** The ports of the listeners, in the order of the settings. */
  readonly ports: readonly number[];
  readonly #listeners: readonly Listener[];

  private constructor(
    machine: Machine,
    service: ShellService,
    listeners: readonly Listener[],
    ports: readonly number[],
  ) {
    this.machine = machine;
    this.service = service;
    this.#listeners = listeners;
    this.ports = ports;
  }

  /** Makes the host's folder where needed and begins to listen. Throws when a port or a file cannot be had. */
  static async start(settings: WindowsSettings): Promise<WindowsHost> {
    const accounts = settings.accounts.map(({ name, role, remoteManagement, passwordFile }) => ({
      name,
      role,
      remoteManagement,
      ...(passwordFile !== undefined && { password: firstLine(passwordFile) }),
    }));
    const uid = process.getuid?.() === 0 ? settings.uid : undefined;
    mkdirSync(settings.folder, { recursive: true, mode: 0o755 });
    const folder = realpathSync(settings.folder);
    const machine = new Machine({
      name: settings.name,
      tree: install(folder, accounts, catalogue, pythonLibraries, uid),
      accounts,
      eventLogs: settings.eventLogs,
      programs,
      doorSocket: path.join(folder, 'door'),
      ...(uid !== undefined && { uid }),
    });
    const { quotas } = settings;
    const service = new ShellService(machine, quotas);
    const listeners = settings.listeners.map(
      ({ address, port, auth, tls }) =>
        new Listener(machine, service, {
          address,
          port,
          auth,
          maxEnvelopeBytes: quotas.maxEnvelopeSizekb * 1024,
          ...(tls !== undefined && { tls: readTls(tls) }),
        }),
    );
    if (settings.sshSecretFile !== undefined) writeSecret(settings.sshSecretFile, machine.door.sshSecret, uid);
    await machine.door.listen();
    const ports: number[] = [];
    for (const listener of listeners) ports.push(await listener.listen());
    return new WindowsHost(machine, service, listeners, ports);
  }

  /** Ends everything that runs on the host, and the host. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.service.close();
    await this.machine.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }
}

function readTls({ keyFile, certFile, caFile }: { keyFile: string; certFile: string; caFile?: string | undefined }) {
  const [key, cert] = [readFileSync(keyFile, 'utf8'), readFileSync(certFile, 'utf8')];
  return { key, cert, ...(caFile !== undefined && { ca: readFileSync(caFile, 'utf8') }) };
}

function writeSecret(file: string, secret: string, uid: number | undefined): void {
  rmSync(file, { force: true });
  writeFileSync(file, secret, { mode: 0o400, flag: 'wx' });
  if (uid !== undefined) chownSync(file, uid, uid);
}

function firstLine(file: string): string {
  return readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
}
