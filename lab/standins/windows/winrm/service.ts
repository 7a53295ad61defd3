import { answers } from './answers.ts';
import { WsmanFault } from './faults.ts';
import { ns, shellResource } from './namespaces.ts';
import { durationMs, isTrue } from './request.ts';
import type { WsmanRequest } from './request.ts';
import { Shell } from './shell.ts';
import type { Account, Logon } from '../machine/accounts.ts';
import type { Machine } from '../machine/machine.ts';

/** The service's limits, under the names that `winrm get winrm/config` shows. */
export type Quotas = {
  readonly maxShellsPerUser: number;
  readonly maxConcurrentOperationsPerUser: number;
  readonly maxEnvelopeSizekb: number;
  readonly idleTimeoutMs: number;
};

/**
 * Output in one answer. An answer must be smaller than what a socket takes at once (64 KiB): else Node's server holds its parser
 * until the socket says that it has drained, and over TLS drops the connection when the next request comes before that.
 */
const maxReceiveBytes = 40 * 1024;

/** Who asks: authenticated, and from where. */
export type Caller = { readonly account: Account; readonly logon: Logon; readonly ip: string };

/** The remote shells of one host (MS-WSMV 3.1.4, shell resource): a request in, an answer out, or a fault thrown. */
export class ShellService {
  readonly #machine: Machine;
  readonly #quotas: Quotas;
  readonly #shells = new Map<string, Shell>();

  constructor(machine: Machine, quotas: Quotas) {
    this.#machine = machine;
    this.#quotas = quotas;
  }

  /** How many shells are open. */
  get open(): number {
    return this.#shells.size;
  }

  /** Throws {@link WsmanFault}. `signal` is aborted when nobody waits for the answer any more. */
  async answer(request: WsmanRequest, caller: Caller, signal: AbortSignal): Promise<string> {
    if (!caller.account.remoteManagement) throw new WsmanFault('access-denied');
    if (request.resourceUri !== shellResource) throw new WsmanFault('unknown-resource');
    switch (request.action) {
      case `${ns.x}/Create`:
        return this.#create(request, caller);
      case `${ns.x}/Delete`: {
        const shell = this.#shell(request, caller);
        this.#close(shell);
        return answers.delete(request.messageId);
      }
      case `${ns.rsp}/Command`:
        return this.#command(request, caller);
      case `${ns.rsp}/Receive`:
        return this.#receive(request, caller, signal);
      case `${ns.rsp}/Send`:
        return this.#send(request, caller);
      case `${ns.rsp}/Signal`:
        return this.#signal(request, caller);
      default:
        throw new WsmanFault('unknown-action');
    }
  }

  /** Closes every shell. */
  close(): void {
    for (const shell of this.#shells.values()) this.#close(shell);
  }

  #create(request: WsmanRequest, { account, logon, ip }: Caller): string {
    const { maxShellsPerUser, idleTimeoutMs } = this.#quotas;
    if (this.#of(account).length >= maxShellsPerUser) throw new WsmanFault('shell-quota', { limit: maxShellsPerUser });
    const wanted = request.body.child(ns.rsp, 'Shell');
    if (wanted === undefined) throw new WsmanFault('schema');
    const text = (local: string): string | undefined => wanted.child(ns.rsp, local)?.text.trim();
    const variables = wanted.child(ns.rsp, 'Environment')?.all(ns.rsp, 'Variable') ?? [];
    const proposedId = wanted.attribute('ShellId');
    const workingDirectory = text('WorkingDirectory');
    const shell: Shell = new Shell(
      this.#machine,
      {
        logon,
        clientIp: ip,
        ...(proposedId !== undefined && { proposedId }),
        ...(workingDirectory !== undefined && {
          workingDirectory: this.#machine.tree.resolve(
            workingDirectory.replace(/%USERPROFILE%/i, this.#machine.home(logon)),
            'C:\\',
          ),
        }),
        idleTimeoutMs: durationMs(text('IdleTimeOut') ?? '') ?? idleTimeoutMs,
        environment: variables.map((variable) => [variable.attribute('Name') ?? '', variable.text] as const),
        inputStreams: text('InputStreams') ?? 'stdin',
        outputStreams: text('OutputStreams') ?? 'stdout stderr',
        to: request.to,
      },
      () => {
        this.#close(shell);
      },
    );
    this.#shells.set(shell.id.toUpperCase(), shell);
    const { clientIp, idleTimeoutMs: idleMs, inputStreams, outputStreams, to } = shell.options;
    const view = {
      shellId: shell.id,
      to,
      owner: account.name,
      clientIp,
      idleTimeoutMs: idleMs,
      inputStreams,
      outputStreams,
    };
    return answers.create(request.messageId, view);
  }

  #command(request: WsmanRequest, caller: Caller): string {
    const shell = this.#shell(request, caller);
    const limit = this.#quotas.maxConcurrentOperationsPerUser;
    const running = this.#of(caller.account).reduce((sum, { started }) => sum + started, 0);
    if (running >= limit) throw new WsmanFault('operation-quota', { limit });
    const line = request.body.child(ns.rsp, 'CommandLine');
    const command = line?.child(ns.rsp, 'Command');
    if (line === undefined || command === undefined) throw new WsmanFault('schema');
    const words = [command, ...line.all(ns.rsp, 'Arguments')].map(({ text }) => text);
    return answers.command(request.messageId, shell.command(words.join(' ')).id);
  }

  async #receive(request: WsmanRequest, caller: Caller, signal: AbortSignal): Promise<string> {
    const shell = this.#shell(request, caller);
    const desired = request.body.child(ns.rsp, 'Receive')?.child(ns.rsp, 'DesiredStream');
    const names = desired?.text.trim().split(/\s+/) ?? [];
    if (names.length === 0 || names.some((name) => !shell.options.outputStreams.split(/\s+/).includes(name)))
      throw new WsmanFault('bad-streams');
    const command = shell.find(desired?.attribute('CommandId'));
    // Base64, and the envelope around it, must fit into what the client takes.
    const fitting = Math.max(1024, Math.floor(((request.maxEnvelopeBytes - 4096) * 3) / 4));
    const maxBytes = Math.min(fitting, maxReceiveBytes);
    const received = await command.receive(request.operationTimeoutMs, maxBytes, signal);
    shell.touch();
    if (received === undefined) throw new WsmanFault('timed-out');
    const pieces = received.pieces.filter(({ name }) => names.includes(name));
    return answers.receive(request.messageId, command.id, pieces, received.exitCode);
  }

  #send(request: WsmanRequest, caller: Caller): string {
    const shell = this.#shell(request, caller);
    for (const stream of request.body.child(ns.rsp, 'Send')?.all(ns.rsp, 'Stream') ?? []) {
      if (stream.attribute('Name') !== 'stdin') throw new WsmanFault('bad-input-stream');
      const { stdin } = shell.find(stream.attribute('CommandId'));
      const bytes = Buffer.from(stream.text, 'base64');
      if (bytes.length > 0 && !stdin.writableEnded && !stdin.destroyed) stdin.write(bytes);
      if (isTrue(stream.attribute('End')) && !stdin.writableEnded) stdin.end();
    }
    return answers.send(request.messageId);
  }

  #signal(request: WsmanRequest, caller: Caller): string {
    const shell = this.#shell(request, caller);
    const element = request.body.child(ns.rsp, 'Signal');
    const commandId = element?.attribute('CommandId');
    const code = element?.child(ns.rsp, 'Code')?.text.trim() ?? '';
    if (/\/signal\/terminate$/i.test(code)) shell.terminate(commandId);
    else if (/\/signal\/ctrl_(?:c|break)$/i.test(code)) shell.find(commandId).interrupt();
    else throw new WsmanFault('unknown-action');
    return answers.signal(request.messageId);
  }

  /** The shell that is meant. That of another user does not exist for this one. */
  #shell({ shellId }: WsmanRequest, { account }: Caller): Shell {
    const shell = this.#shells.get(shellId?.toUpperCase() ?? '');
    if (shell?.options.logon.user !== account.name) throw new WsmanFault('unknown-shell');
    shell.touch();
    return shell;
  }

  #of(account: Account): readonly Shell[] {
    return [...this.#shells.values()].filter(({ options }) => options.logon.user === account.name);
  }

  #close(shell: Shell): void {
    this.#shells.delete(shell.id.toUpperCase());
    shell.close();
  }
}
