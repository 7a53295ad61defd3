import { lchownSync, lstatSync, mkdirSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

const win = path.win32;

/** The stand-in's one drive, C:, as a folder of this machine. Names are compared as Windows does, without regard to case. */
export class FileTree {
  readonly root: string;
  readonly #drive: string;
  readonly #uid: number | undefined;

  /** @param uid who the accounts' files belong to here; undefined: whoever makes them. */
  constructor(root: string, uid?: number) {
    this.root = realpathSync(root);
    this.#drive = path.join(this.root, 'C');
    this.#uid = uid;
  }

  /** To be called with what was made for an account, so that its programs may write to it. */
  own(realPath: string): void {
    if (this.#uid !== undefined) lchownSync(realPath, this.#uid, this.#uid);
  }

  /** Makes a folder and those above it. Throws node's error. */
  makeFolder(windowsPath: string): void {
    const real = this.real(windowsPath) ?? '';
    const first = mkdirSync(real, { recursive: true, mode: 0o755 });
    for (let at = real; first !== undefined && at.startsWith(first); at = path.dirname(at)) this.own(at);
  }

  /** The absolute Windows path that `text` means in this folder. */
  resolve(text: string, cwd: string): string {
    const full = win.resolve(cwd, text.replaceAll('/', '\\'));
    return full.length > 3 ? full.replace(/[\\]+$/, '') : full;
  }

  /** Where a Windows path lies here; undefined: on no drive of this host. Parts that exist in another case are found. */
  real(windowsPath: string): string | undefined {
    const { root } = win.parse(windowsPath);
    if (root.toUpperCase() !== 'C:\\') return undefined;
    let at = this.#drive;
    for (const part of windowsPath.slice(root.length).split('\\').filter(Boolean))
      at = path.join(at, exists(path.join(at, part)) ? part : (sameName(at, part) ?? part));
    return at;
  }

  /** The Windows path of a file here, with the names as they are spelt on disk. */
  windows(realPath: string): string {
    const inside = path.relative(this.#drive, realPath);
    return inside === '' ? 'C:\\' : `C:\\${inside.split('/').join('\\')}`;
  }

  /** The Windows path that a path leads to: links followed, names as on disk. Undefined when there is nothing. */
  target(windowsPath: string): string | undefined {
    const real = this.real(windowsPath);
    try {
      return real === undefined ? undefined : this.windows(realpathSync(real));
    } catch {
      return undefined;
    }
  }

  /** The names in a folder, in capitals; none when it is not there. */
  names(windowsPath: string): ReadonlySet<string> {
    const real = this.real(windowsPath);
    try {
      return new Set(real === undefined ? [] : readdirSync(real).map((name) => name.toUpperCase()));
    } catch {
      return new Set();
    }
  }

  isFile(windowsPath: string): boolean {
    return this.#kind(windowsPath) === 'file';
  }

  isFolder(windowsPath: string): boolean {
    return this.#kind(windowsPath) === 'folder';
  }

  exists(windowsPath: string): boolean {
    return this.#kind(windowsPath) !== undefined;
  }

  isLink(windowsPath: string): boolean {
    const real = this.real(windowsPath);
    try {
      return real !== undefined && lstatSync(real).isSymbolicLink();
    } catch {
      return false;
    }
  }

  /** What a symbolic link says, as a Windows path. */
  linkTarget(windowsPath: string): string {
    return this.windows(readlinkSync(this.real(windowsPath) ?? ''));
  }

  #kind(windowsPath: string): 'file' | 'folder' | undefined {
    const real = this.real(windowsPath);
    try {
      return real === undefined ? undefined : statSync(real).isDirectory() ? 'folder' : 'file';
    } catch {
      return undefined;
    }
  }
}

/** A wildcard of cmd as a test of names; undefined when the text has none. */
export function wildcard(pattern: string): RegExp | undefined {
  if (!/[*?]/.test(pattern)) return undefined;
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.?');
  return new RegExp(`^${escaped.replace(/\\\.\.\*$/, '(?:\\..*)?')}$`, 'i');
}

function exists(file: string): boolean {
  try {
    lstatSync(file);
    return true;
  } catch {
    return false;
  }
}

function sameName(folder: string, name: string): string | undefined {
  try {
    return readdirSync(folder).find((entry) => entry.toUpperCase() === name.toUpperCase());
  } catch {
    return undefined;
  }
}
