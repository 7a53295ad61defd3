import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { splitLine } from '../machine/command-line.ts';
import type { Program } from '../machine/machine.ts';
import { findProgram } from '../machine/start-line.ts';

/** certutil.exe: the hash of a file, and nothing else that it can do. */
export const certutil: Program = async (process, { tree }) => {
  const [, verb = '', file = '', algorithm = 'SHA1'] = splitLine(process.commandLine);
  const name = algorithm.toLowerCase();
  if (!/^[-/]hashfile$/i.test(verb) || !['md5', 'sha1', 'sha256', 'sha384', 'sha512'].includes(name)) {
    await process.err(`The stand-in does not know: certutil ${verb} ${algorithm}\r\n`);
    return 1;
  }
  const windowsPath = tree.resolve(file, process.cwd);
  if (!tree.isFile(windowsPath)) {
    const code = 'CertUtil: -hashfile command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)';
    await process.out(`${code}\r\nCertUtil: The system cannot find the file specified.\r\n`);
    return 0x80070002;
  }
  const digest = createHash(name)
    .update(readFileSync(tree.real(windowsPath) ?? ''))
    .digest('hex');
  const done = 'CertUtil: -hashfile command completed successfully.';
  await process.out(`${algorithm.toUpperCase()} hash of ${file}:\r\n${digest}\r\n${done}\r\n`);
  return 0;
};

/** where.exe. */
export const where: Program = async (process, machine) => {
  const [, name = ''] = splitLine(process.commandLine);
  const extensions = ['', ...(process.env.get('PATHEXT') ?? '').split(';')];
  const file = findProgram(machine, name, process.cwd, process.env.get('Path') ?? '', extensions);
  if (file === undefined) {
    await process.err('INFO: Could not find files for the given pattern(s).\r\n');
    return 1;
  }
  await process.out(`${machine.tree.target(file) ?? file}\r\n`);
  return 0;
};

/** chcp.com: the code page is UTF-8, whatever is asked for. */
export const chcp: Program = async (process) => {
  await process.out('Active code page: 65001\r\n');
  return 0;
};

/** ping.exe, as scripts use it to wait: `-n COUNT`, to loopback only. */
export const ping: Program = async (process) => {
  const words = splitLine(process.commandLine);
  const address = words.at(-1) ?? '';
  const count = Math.min(Number(words[words.findIndex((word) => /^[-/]n$/i.test(word)) + 1]) || 4, 600);
  if (!/^(?:127(?:\.\d+){3}|localhost|::1)$/i.test(address)) {
    await process.err(`The stand-in does not know: ping ${address}\r\n`);
    return 1;
  }
  for (let sent = 0; sent < count && !process.signal.aborted; sent += 1) {
    if (sent > 0) await sleep(1000, undefined, { signal: process.signal }).catch(() => undefined);
    await process.out(`Reply from ${address}: bytes=32 time<1ms TTL=128\r\n`);
  }
  return 0;
};

/** runas.exe: asks for a password, which it does not read from a pipe. */
export const runas: Program = async (process) => {
  await process.err('RUNAS ERROR: Unable to acquire user password\r\n');
  return 1;
};

/** taskkill.exe, of processes that belong to the caller, or of any for an administrator. */
export const taskkill: Program = async (process, { processes }) => {
  const words = splitLine(process.commandLine);
  const valueOf = (option: string): string | undefined => {
    const at = words.findIndex((word) => word.toLowerCase() === option);
    return at === -1 ? undefined : words[at + 1];
  };
  const [pid, image] = [valueOf('/pid'), valueOf('/im')];
  const meant = [...processes.values()].filter(
    (one) => String(one.pid) === pid || one.image.toLowerCase().endsWith(`\\${image?.toLowerCase() ?? '\\'}`),
  );
  if (meant.length === 0) {
    await process.err(`ERROR: The process "${pid ?? image ?? ''}" not found.\r\n`);
    return 128;
  }
  for (const one of meant) {
    if (one.logon.user !== process.logon.user && process.logon.integrity === 'Medium') {
      await process.err(
        `ERROR: The process with PID ${one.pid} could not be terminated.\r\nReason: Access is denied.\r\n`,
      );
      return 1;
    }
    one.kill(1);
    await process.out(`SUCCESS: The process with PID ${one.pid} has been terminated.\r\n`);
  }
  return 0;
};
