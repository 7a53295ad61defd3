import { readCommandId, readReceived, type Received, readShellId } from './answers.ts';
import {
  commandRequest,
  createRequest,
  deleteRequest,
  receiveRequest,
  sendRequest,
  signalRequest,
} from './envelope.ts';
import { WsmanFault } from './fault.ts';
import { codes } from './fault-codes.ts';
import type { Wsman } from './wsman.ts';

/** Of standard input in one message: as base64 it stays below the 150 KB that the oldest hosts take. */
export const sendBytes = 90_000;

/** A request that outlives the stop of a run: one that tidies up, or one whose outcome must be known. */
const unstopped = new AbortController().signal;

/** A shell on the host, of which commands are children. Closing it ends what they left over. */
export class RemoteShell {
  readonly #wsman: Wsman;
  readonly #id: string;
  /** Commands that it was given so far. */
  commands = 0;
  #gone = false;

  private constructor(wsman: Wsman, id: string) {
    this.#wsman = wsman;
    this.#id = id;
  }

  static async create(wsman: Wsman, cwd: string | undefined, signal: AbortSignal): Promise<RemoteShell> {
    return new RemoteShell(wsman, readShellId(await wsman.request(createRequest(cwd), signal)));
  }

  /** Once sent it is never sent again, and not stopped half-way either: whether it started must be known. */
  async command(line: string): Promise<string> {
    this.commands += 1;
    return readCommandId(await this.#wsman.request(commandRequest(this.#id, line), unstopped));
  }

  /** Waits for output or the end. Undefined: nothing came within the host's time, which means nothing. */
  async receive(commandId: string, signal: AbortSignal): Promise<Received | undefined> {
    try {
      return readReceived(await this.#wsman.request(receiveRequest(this.#id, commandId), signal), commandId);
    } catch (error) {
      if (error instanceof WsmanFault && error.code === codes.operationTimedOut) return undefined;
      throw error;
    }
  }

  /** At most {@link sendBytes}. */
  async send(commandId: string, bytes: Uint8Array, end: boolean, signal: AbortSignal): Promise<void> {
    await this.#wsman.request(sendRequest(this.#id, commandId, bytes, end), signal);
  }

  async signal(commandId: string, signal: 'ctrl_c' | 'terminate'): Promise<void> {
    await this.#wsman.request(signalRequest(this.#id, commandId, signal), unstopped);
  }

  /** True when the shell is known to be gone. Never throws: it must not hide what went wrong before. */
  async delete(): Promise<boolean> {
    if (this.#gone) return true;
    try {
      await this.#wsman.request(deleteRequest(this.#id), unstopped);
      this.#gone = true;
    } catch (error) {
      this.#gone = error instanceof WsmanFault && isUnknown(error);
    }
    return this.#gone;
  }
}

/** The host knows no such shell or command. */
export function isUnknown({ code }: WsmanFault): boolean {
  return code === codes.unexpectedSelectors || code === codes.invalidSelectors;
}
