import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { md4 } from '../../adapters/transports/winrm/ntlm/md4.ts';

/** Bytes that would give a secret away to a reader. */
type Form = { readonly name: string; readonly bytes: Buffer };

/** A secret as a program may print it. */
export function writtenForms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const wide = Buffer.from(secret, 'utf16le');
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    wide.toString('base64'),
    Buffer.from(`user:${secret}`).toString('base64'),
  ];
}

function formsOf(secret: string): readonly Form[] {
  const bytes = Buffer.from(secret);
  const wide = Buffer.from(secret, 'utf16le');
  const html = secret.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  const text = (name: string, value: string): Form => ({ name, bytes: Buffer.from(value) });
  return [
    { name: 'as it is', bytes },
    { name: 'UTF-16LE', bytes: wide },
    { name: 'NT hash', bytes: Buffer.from(md4(wide)) },
    text('NT hash in hex', Buffer.from(md4(wide)).toString('hex')),
    text('SHA-256', createHash('sha256').update(bytes).digest('hex')),
    text('JSON', JSON.stringify(secret).slice(1, -1)),
    text('HTML', html),
    text('URL', encodeURIComponent(secret)),
    text('hex', bytes.toString('hex')),
    ...[0, 1, 2].flatMap((offset) => [
      text(`Base64 ${offset} behind`, base64At(bytes, offset)),
      text(`Base64 of UTF-16LE ${offset} behind`, base64At(wide, offset)),
    ]),
  ];
}

/** The characters that do not depend on what stands around it. */
function base64At(bytes: Buffer, offset: number): string {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  return padded.slice(offset === 0 ? 0 : offset + 1, -1);
}

/** Secrets by the place that they were planted in, and where each was found. */
export class Planted {
  readonly #forms: readonly (Form & { readonly place: string })[];
  readonly #found = new Set<string>();

  /** A secret of several lines, such as a key, is also looked for by its lines. */
  constructor(secrets: Readonly<Record<string, string>>) {
    this.#forms = Object.entries(secrets).flatMap(([place, secret]) => [
      ...formsOf(secret).map((form) => ({ ...form, place })),
      ...secret
        .split('\n')
        .filter((line) => line.length > 30 && !line.startsWith('-----') && line !== secret)
        .map((line) => ({ name: 'a line', bytes: Buffer.from(line), place })),
    ]);
  }

  lookIn(where: string, what: string | Buffer): void {
    const bytes = typeof what === 'string' ? Buffer.from(what) : what;
    for (const { place, name, bytes: form } of this.#forms)
      if (bytes.includes(form)) this.#found.add(`${place}, ${name}: in ${where}`);
  }

  /** Every file below a folder, and its name. */
  lookInFolder(folder: string): void {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      this.lookIn('the name of a file', name);
      const file = join(folder, name);
      if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) this.lookIn(name, readFileSync(file));
    }
  }

  /**
   * Until the work is done, looks at the command lines of all processes, and at the environments of all but the `spared` one and
   * its forks that are no other program yet.
   */
  async watchProcesses<T>(spared: number | undefined, work: Promise<T>): Promise<T> {
    const seen = new Set<string>();
    const read = (pid: string, part: 'cmdline' | 'environ' | 'comm'): Buffer => {
      try {
        return readFileSync(`/proc/${pid}/${part}`);
      } catch {
        // It ended meanwhile.
        return Buffer.alloc(0);
      }
    };
    const lookAt = (pid: string, part: 'cmdline' | 'environ', bytes: Buffer): void => {
      const text = bytes.toString('latin1');
      if (seen.has(text)) return;
      seen.add(text);
      this.lookIn(`the ${part} of ${read(pid, 'comm').toString().trim()}`, bytes);
    };
    const look = (): void => {
      const own = read(String(spared), 'cmdline');
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        const line = read(pid, 'cmdline');
        lookAt(pid, 'cmdline', line);
        if (!line.equals(own)) lookAt(pid, 'environ', read(pid, 'environ'));
      }
    };
    const timer = setInterval(look, 50);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }

  get found(): readonly string[] {
    return [...this.#found].sort();
  }
}
