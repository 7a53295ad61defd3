import type { CommandOutcome, TransportFailureClass } from '../../runner/ports.ts';
import { TransportFailure } from '../../runner/ports.ts';
import { decodeClixml } from './clixml.ts';
import { type PowershellCommand, powershellCommand } from './powershell.ts';
import { sha256 } from './sha256.ts';

/** Exit codes of the texts below, outside those that PowerShell gives. */
export const fileCodes = {
  unreadable: 81,
  absent: 82,
  exists: 83,
  failed: 84,
  differs: 85,
  tooLong: 86,
  full: 87,
} as const;

/** ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL and ERROR_DISK_QUOTA_EXCEEDED as HRESULTs: the words for them are in the host's language. */
const noSpace = '-2147024784,-2147024857,-2147023601';

/**
 * Input: a line with the path (base64 of UTF-8), one with the SHA-256 in hex, then the bytes as lines of base64. Made under its own
 * name, as any program drops a file: a sensor that tells of new files would not tell of a rename. Made when all of it has come: what
 * waits for more of a sender that died holds no file open, which nobody could remove then. Read back and hashed; what is not whole
 * is removed again.
 */
export const putScript = `$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$in=[Console]::In
$path=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($in.ReadLine()))
$want=$in.ReadLine()
function there { [IO.File]::Exists($path) -or [IO.Directory]::Exists($path) }
$folder=[IO.Path]::GetDirectoryName([IO.Path]::GetFullPath($path))
if (-not [IO.Directory]::Exists($folder)) { exit ${fileCodes.absent} }
if (there) { exit ${fileCodes.exists} }
$made=$false
$sha=[Security.Cryptography.SHA256]::Create()
$all=New-Object IO.MemoryStream
try {
  while ($null -ne ($line=$in.ReadLine())) { $b=[Convert]::FromBase64String($line); $all.Write($b,0,$b.Length) }
  $file=New-Object IO.FileStream $path,'CreateNew','Write','None'
  $made=$true
  try { $all.WriteTo($file) } finally { $file.Close() }
  $file=[IO.File]::OpenRead($path)
  try { $have=[BitConverter]::ToString($sha.ComputeHash($file)).Replace('-','').ToLower() } finally { $file.Close() }
  if ($have -ne $want) { [IO.File]::Delete($path); exit ${fileCodes.differs} }
} catch {
  if ($made) { try { [IO.File]::Delete($path) } catch { } } elseif (there) { exit ${fileCodes.exists} }
  if ((${noSpace}) -contains $_.Exception.GetBaseException().HResult) { exit ${fileCodes.full} }
  [Console]::Error.WriteLine($_.Exception.Message)
  exit ${fileCodes.failed}
}
exit 0`;

/** Input: a line with the path (base64 of UTF-8), one with the most bytes to send. Output: the bytes as lines of base64, then `sha256 HEX`. */
export const getScript = `$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$in=[Console]::In
$path=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($in.ReadLine()))
$most=[long]$in.ReadLine()
if ([IO.Directory]::Exists($path)) { exit ${fileCodes.unreadable} }
if (-not [IO.File]::Exists($path)) { exit ${fileCodes.absent} }
$sha=[Security.Cryptography.SHA256]::Create()
try {
  $file=New-Object IO.FileStream $path,'Open','Read','ReadWrite'
  try {
    if ($file.Length -gt $most) { exit ${fileCodes.tooLong} }
    $b=New-Object byte[] 300000
    $sum=0
    while (($n=$file.Read($b,0,$b.Length)) -gt 0) {
      $sum+=$n
      if ($sum -gt $most) { exit ${fileCodes.tooLong} }
      [Console]::Out.WriteLine([Convert]::ToBase64String($b,0,$n))
      [void]$sha.TransformBlock($b,0,$n,$b,0)
    }
    [void]$sha.TransformFinalBlock($b,0,0)
  } finally { $file.Close() }
  [Console]::Out.WriteLine('sha256 '+[BitConverter]::ToString($sha.Hash).Replace('-','').ToLower())
} catch {
  [Console]::Error.WriteLine($_.Exception.Message)
  exit ${fileCodes.unreadable}
}
exit 0`;

/** Bytes of a file in one line of base64. */
const lineBytes = 60_000;

export type RunCapped = (
  command: PowershellCommand,
  limit: { readonly outputCap: number; readonly signal: AbortSignal },
) => Promise<CommandOutcome>;

/**
 * Files of a Windows host by way of PowerShell; the contracts are those of `Session.put` and `Session.get`. A mode means
 * nothing there: the file gets the rights of its folder.
 */
export class WindowsFiles {
  readonly #run: RunCapped;
  readonly #host: string;

  constructor(run: RunCapped, host: string) {
    this.#run = run;
    this.#host = host;
  }

  async put({ path, bytes }: { path: string; bytes: Uint8Array }, signal: AbortSignal): Promise<void> {
    const lines = [encodedPath(path), sha256(bytes)];
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let from = 0; from < bytes.length; from += lineBytes)
      lines.push(buffer.toString('base64', from, Math.min(from + lineBytes, bytes.length)));
    await this.#script(putScript, path, lines, { outputCap: 4_096, signal });
  }

  async get(path: string, { maxBytes, signal }: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    // Base64 and its line ends make less than 1.4 of it.
    const outputCap = Math.ceil(maxBytes * 1.4) + 4_096;
    const lines = [encodedPath(path), String(maxBytes)];
    const { stdout } = await this.#script(getScript, path, lines, { outputCap, signal });
    const said = Buffer.from(stdout).toString('latin1').trimEnd().split(/\r?\n/);
    const hash = /^sha256 ([\da-f]{64})$/.exec(said.pop() ?? '')?.[1];
    const bytes = new Uint8Array(Buffer.concat(said.map((line) => Buffer.from(line, 'base64'))));
    if (hash !== sha256(bytes))
      throw this.#failure(
        'file',
        path,
        'what arrived is not what the host read (SHA-256 differs, or its answer is cut)',
      );
    return bytes;
  }

  async #script(
    script: string,
    path: string,
    lines: readonly string[],
    limit: { readonly outputCap: number; readonly signal: AbortSignal },
  ): Promise<CommandOutcome> {
    const outcome = await this.#run(powershellCommand(script, Buffer.from(`${lines.join('\n')}\n`)), limit);
    const { exit } = outcome;
    if (exit.kind === 'code' && exit.code === 0) return outcome;
    if (limit.signal.aborted) throw this.#failure('aborted', path, 'stopped during the transfer');
    const stderr = decodeClixml(Buffer.from(outcome.stderr).toString('utf8')).trim().slice(0, 300);
    const rest = stderr === '' ? '' : ` (${stderr})`;
    switch (exit.kind === 'code' ? exit.code : -1) {
      case fileCodes.absent:
        throw this.#failure('not-found', path, 'there is no such file or folder');
      case fileCodes.exists:
        throw this.#failure('file', path, 'it exists already, and nothing is overwritten');
      case fileCodes.unreadable:
        throw this.#failure('file', path, `it cannot be read as a file: permission denied, or a folder${rest}`);
      case fileCodes.differs:
        throw this.#failure('file', path, 'what is there after the upload is not what was sent (SHA-256 differs)');
      case fileCodes.tooLong:
        throw this.#failure('cut-short', path, 'it is longer than the bytes that were asked for');
      case fileCodes.full:
        throw this.#failure('file', path, 'no space is left on the disk there. Free some, or use another folder');
      default:
        throw this.#failure(
          'file',
          path,
          `the transfer failed${exit.kind === 'code' ? ` with exit code ${exit.code}` : ''}${rest}`,
        );
    }
  }

  #failure(failureClass: TransportFailureClass, path: string, why: string): TransportFailure {
    return new TransportFailure(failureClass, `${path} on ${this.#host}: ${why}`);
  }
}

/** In base64, so that no encoding of a console has a say over it. */
function encodedPath(path: string): string {
  return Buffer.from(path, 'utf8').toString('base64');
}
