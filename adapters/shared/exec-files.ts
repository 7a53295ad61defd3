import type { Platform } from '../../runner/domain/attack.ts';
import { type Command, type CommandOutcome, type TransportFailureClass, TransportFailure } from '../../runner/ports.ts';
import { sha256 } from './sha256.ts';
import type { FileStore } from './file-store.ts';

/** Exit codes of the scripts below, outside those that shells and the tools used give. */
const codes = { unreadable: 81, absent: 82, exists: 83, notCreated: 84, notWritten: 85 } as const;

/** The words that are looked for in what the tools say. */
const english = 'LC_ALL=C; export LC_ALL';

const putScript = `${english}; case $1 in */*) [ -d "\${1%/*}/" ] || exit ${codes.absent};; esac
[ ! -e "$1" ] && [ ! -L "$1" ] || exit ${codes.exists}
umask 077; set -C
{ cat || { rm -f -- "$1"; exit ${codes.notWritten}; }; } >"$1" || exit ${codes.notCreated}
chmod "$2" "$1"`;

const getScript = `${english}; [ -e "$1" ] || exit ${codes.absent}
[ -r "$1" ] && [ ! -d "$1" ] || exit ${codes.unreadable}
if head -c 1 </dev/null 2>/dev/null; then exec head -c "$2" "$1"; fi
exec dd if="$1" bs=65536 count=$(($2 / 65536 + 1)) 2>/dev/null`;

/** Not on every host; where it is, the file need not be sent back to be compared. */
const hashScript = 'sha256sum <"$1" 2>/dev/null';

/** Does again what SFTP was not allowed to, for the sake of what the tools then say; `$2` is the use. */
const whyDeniedScript = `${english}; if [ "$2" = read ]; then head -c 1 "$1" >/dev/null; else umask 077; set -C; : >"$1" && rm -f -- "$1"; fi`;

const removeScript = 'rm -f -- "$1"';

export type RunCapped = (
  command: Command,
  limit: { outputCap: number; signal: AbortSignal },
) => Promise<CommandOutcome>;

/** EPERM where the file's own rights would give EACCES: another control than these is in the way. */
const blockedByTcc =
  'blocked by macOS privacy controls (TCC): operation not permitted. Use a folder outside Desktop, Documents, Downloads and the like, or have the owner of the host switch on "Allow full disk access for remote users" (Sharing, Remote Login)';

/** For servers without SFTP: the same by way of sh, cat and head. */
export class ExecFiles implements FileStore {
  readonly #run: RunCapped;
  readonly #host: string;
  readonly #platform: Platform;

  constructor(run: RunCapped, host: string, platform: Platform) {
    this.#run = run;
    this.#host = host;
    this.#platform = platform;
  }

  /** What is behind a denied permission on macOS; undefined where it is nothing but that. */
  async whyDenied(path: string, use: 'read' | 'write'): Promise<string | undefined> {
    if (this.#platform !== 'macos') return undefined;
    const signal = AbortSignal.timeout(10_000);
    return this.#script(whyDeniedScript, [path, use], { signal }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error && error.message.includes(blockedByTcc) ? blockedByTcc : undefined),
    );
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    const { path, bytes } = file;
    await this.#script(putScript, [path, file.mode.toString(8)], { signal, stdin: bytes });
    try {
      if ((await this.#hash(path, bytes.length, signal)) !== sha256(bytes))
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

  async #hash(path: string, maxBytes: number, signal: AbortSignal): Promise<string> {
    const said = await this.#script(hashScript, [path], { signal }).catch((error: unknown) => {
      if (error instanceof TransportFailure && error.class === 'file') return undefined;
      throw error;
    });
    const hash = /^[\da-f]{64}(?= )/.exec(Buffer.from(said?.stdout ?? []).toString('latin1'))?.[0];
    return hash ?? sha256(await this.get(path, { maxBytes, signal }));
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
    if (this.#platform === 'macos' && /operation not permitted/i.test(said))
      throw this.#failure('file', path, blockedByTcc);
    if (/no space left on device|disk quota exceeded/i.test(said))
      throw this.#failure('file', path, 'no space is left on the disk there. Free some, or use another folder');
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
