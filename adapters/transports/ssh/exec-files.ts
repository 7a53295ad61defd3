import {
  type Command,
  type CommandOutcome,
  type TransportFailureClass,
  TransportFailure,
} from '../../../runner/ports.ts';
import { sha256 } from '../../shared/sha256.ts';
import type { FileStore } from './file-store.ts';

/** Exit codes of the scripts below, outside those that shells and the tools used give. */
const codes = { unreadable: 81, absent: 82, exists: 83, notCreated: 84, notWritten: 85 } as const;

const putScript = `case $1 in */*) [ -d "\${1%/*}/" ] || exit ${codes.absent};; esac
[ ! -e "$1" ] && [ ! -L "$1" ] || exit ${codes.exists}
umask 077; set -C
{ cat || { rm -f -- "$1"; exit ${codes.notWritten}; }; } >"$1" || exit ${codes.notCreated}
chmod "$2" "$1"`;

const getScript = `[ -e "$1" ] || exit ${codes.absent}
[ -r "$1" ] && [ ! -d "$1" ] || exit ${codes.unreadable}
exec head -c "$2" "$1"`;

const removeScript = 'rm -f -- "$1"';

export type RunCapped = (
  command: Command,
  limit: { outputCap: number; signal: AbortSignal },
) => Promise<CommandOutcome>;

/** For servers without SFTP: the same by way of sh, cat and head. */
export class ExecFiles implements FileStore {
  readonly #run: RunCapped;
  readonly #host: string;

  constructor(run: RunCapped, host: string) {
    this.#run = run;
    this.#host = host;
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    const { path, bytes } = file;
    await this.#script(putScript, [path, file.mode.toString(8)], { signal, stdin: bytes });
    try {
      const there = await this.get(path, { maxBytes: bytes.length, signal });
      if (sha256(there) !== sha256(bytes))
        throw this.#failure('file', path, 'what is there after the upload is not what was sent (SHA-256 differs)');
    } catch (error) {
      await this.#script(removeScript, [path], { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
      throw error;
    }
  }

  async get(path: string, { maxBytes, signal }: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    const outputCap = maxBytes + 1;
    const { stdout } = await this.#script(getScript, [path, String(outputCap)], { signal, outputCap });
    if (stdout.length > maxBytes)
      throw this.#failure('cut-short', path, `it is longer than the ${maxBytes} bytes that were asked for`);
    return stdout;
  }

  async #script(
    script: string,
    [path, ...args]: readonly [string, ...string[]],
    options: { readonly signal: AbortSignal; readonly stdin?: Uint8Array; readonly outputCap?: number },
  ): Promise<CommandOutcome> {
    const outcome = await this.#run(
      {
        argv: ['/bin/sh', '-c', script, 'sh', path.startsWith('-') ? `./${path}` : path, ...args],
        channel: 'exec',
        ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      },
      { outputCap: options.outputCap ?? 4_096, signal: options.signal },
    );
    const { exit } = outcome;
    if (exit.kind === 'code' && exit.code === 0) return outcome;
    if (options.signal.aborted) throw this.#failure('aborted', path, 'stopped during the transfer');
    const said = Buffer.from(outcome.stderr).toString('utf8').trim().slice(0, 200);
    const rest = said === '' ? '' : ` (${said})`;
    const code = exit.kind === 'code' ? exit.code : -1;
    switch (code) {
      case codes.absent:
        throw this.#failure('not-found', path, 'there is no such file or folder');
      case codes.exists:
        throw this.#failure('file', path, 'it exists already, and nothing is overwritten');
      case codes.unreadable:
        throw this.#failure('file', path, 'it cannot be read as a file: permission denied, or a folder');
      case codes.notCreated:
        throw this.#failure('file', path, `it cannot be created${rest}`);
      default:
        throw this.#failure('file', path, `the transfer failed${rest}`);
    }
  }

  #failure(failureClass: TransportFailureClass, path: string, why: string): TransportFailure {
    return new TransportFailure(failureClass, `${path} on ${this.#host}: ${why}`);
  }
}
