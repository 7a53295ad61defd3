import type { Target } from '../domain/inventory.ts';
import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { PythonStep } from '../domain/scenario.ts';
import type { Copy, Dialect } from './dialect.ts';

/** What the placeholders of a step stand for in one execution. */
export type Place = Pick<Dialect, 'separator' | 'programSuffix'> & {
  readonly home: string;
  /** Name of the neutral folder in the home. */
  readonly run: string;
  readonly marker: string;
  readonly interpreter: string;
  readonly executables: Target['executables'];
  /** A fresh name for a copied or linked interpreter: a rule must not be able to key on one of ours. */
  readonly alias: string;
  readonly receiptPath: string;
  /** `HOST:PORT` that network payloads connect to; without it they stay on loopback. */
  readonly sink?: string;
};

export type PlacedFile = { readonly path: string; readonly bytes: Uint8Array; readonly mode: number };

/** One step, ready to be carried out: what is put in place first, and the command. */
export type Invocation = {
  readonly files: readonly PlacedFile[];
  readonly copies: readonly Copy[];
  /** Run after the files are in place: makes the compiled file of the same name. */
  readonly compile?: NonEmpty<string>;
  readonly argv: NonEmpty<string>;
  readonly cwd?: string;
  readonly stdin?: Uint8Array;
};

export type Payloads = {
  /** Text of a file below scenarios/payloads. */
  readonly read: (name: string) => string;
  /** A zip archive with these entries. */
  readonly zip: (entries: Readonly<Record<string, Uint8Array>>) => Uint8Array;
  /** The bytes in zlib's format (RFC 1950). */
  readonly deflate: (bytes: Uint8Array) => Uint8Array;
  /** The operator's executable. Throws RangeError when it cannot be read or is another file than the inventory says. */
  readonly executable: (file: { readonly path: string; readonly sha256: string }) => Uint8Array;
};

const utf8 = new TextEncoder();

/** The step as files and a command, for its interpreter and invocation. Throws RangeError for what this host cannot be given. Pure. */
export function invocation(step: PythonStep, place: Place, payloads: Payloads): Invocation {
  const { separator } = place;
  const source = compose(step.script, place, payloads);
  const args = step.args.map((arg) => fill(arg, place));
  const cwd = step.cwd === undefined ? undefined : fill(step.cwd, place);
  const at = fill(step.at, place);
  const renamed = [place.home, place.run, place.alias + place.programSuffix].join(separator);
  const swapped = step.interpreter === 'renamed' || step.interpreter === 'symlink';
  const interpreter = swapped ? renamed : place.interpreter;
  const direct = step.interpreter === 'shebang';
  const launched = step.launcher;
  const start = (path: string): NonEmpty<string> => {
    const shown = cwd !== undefined && path.startsWith(cwd + separator) ? path.slice(cwd.length + 1) : path;
    const argv = launched?.argv.map((word) =>
      fill(word, place)
        .replaceAll('{{interpreter}}', () => interpreter)
        .replaceAll('{{script}}', () => shown),
    );
    const launching = nonEmpty(argv ?? []);
    if (launching !== undefined) return launching;
    return direct ? [shown.includes('/') ? shown : `./${shown}`, ...args] : [interpreter, shown, ...args];
  };
  const shebang = direct ? `#!${place.interpreter}\n` : '';
  const mode = direct ? 0o700 : 0o600;
  const besides = (launched?.files ?? []).map(({ from, at: to }) => ({
    path: fill(to, place),
    bytes: utf8.encode(payloads.read(from)),
    mode: 0o600,
  }));
  const base = {
    copies: swapped
      ? [
          {
            kind: step.interpreter === 'renamed' ? ('copy' as const) : ('link' as const),
            from: place.interpreter,
            to: renamed,
          },
        ]
      : [],
    ...(cwd === undefined ? {} : { cwd }),
  };
  switch (step.invocation) {
    case 'file': {
      const file = { path: at, bytes: utf8.encode(shebang + source), mode };
      return { ...base, files: [file, ...besides], argv: start(at) };
    }
    case '-c':
      return { ...base, files: [], argv: [interpreter, '-c', inline(source, place, payloads), ...args] };
    case 'stdin':
      return { ...base, files: [], argv: [interpreter, '-', ...args], stdin: utf8.encode(source) };
    case 'module': {
      const slash = at.lastIndexOf(separator);
      return {
        ...base,
        files: [{ path: at, bytes: utf8.encode(source), mode }],
        argv: [interpreter, '-m', at.slice(slash + 1).replace(/\.py$/, ''), ...args],
        cwd: at.slice(0, slash),
      };
    }
    case 'zipapp': {
      const path = `${stem(at)}.pyz`;
      const archive = payloads.zip({ '__main__.py': utf8.encode(source) });
      const bytes = new Uint8Array([...utf8.encode(shebang), ...archive]);
      return { ...base, files: [{ path, bytes, mode }, ...besides], argv: start(path) };
    }
    case 'pyc':
      return {
        ...base,
        files: [{ path: at, bytes: utf8.encode(source), mode }, ...besides],
        // -b puts the compiled file beside its source, under its own name (compileall, Python's documentation).
        compile: [interpreter, '-m', 'compileall', '-b', '-q', at],
        argv: start(`${at}c`),
      };
    case 'executable': {
      const name = step.executable ?? '';
      const own = place.executables[name];
      if (own === undefined) throw new RangeError(`the target has no executable ${name} in the inventory`);
      const path = stem(at) + place.programSuffix;
      const bytes = payloads.executable(own);
      return { ...base, files: [{ path, bytes, mode: 0o700 }], argv: [path, '--receipt', place.receiptPath, ...args] };
    }
  }
}

/** Replaces the placeholders; the loader has made sure that there are no others. */
export function fill(text: string, place: Pick<Place, 'home' | 'run'> & Partial<Place>): string {
  return text
    .replaceAll('{{home}}', () => place.home)
    .replaceAll('{{run}}', place.run)
    .replaceAll('{{marker}}', place.marker ?? '');
}

function stem(path: string): string {
  return path.replace(/\.py$/, '');
}

/** A command line of Windows holds no line breaks and, under cmd.exe, 8,191 characters: there the source is packed. */
function inline(source: string, { separator }: Place, payloads: Payloads): string {
  if (separator === '/') return source;
  const packed = btoa([...payloads.deflate(utf8.encode(source))].map((byte) => String.fromCharCode(byte)).join(''));
  return `import base64,zlib;exec(zlib.decompress(base64.b64decode('${packed}')))`;
}

/** Receipt and behaviour as one source that needs no file besides. */
function compose(script: string, { receiptPath, sink }: Place, payloads: Payloads): string {
  const receipt = payloads.read('receipt.py');
  const behaviour = script === 'receipt.py' ? '' : `\n\n${payloads.read(script)}`;
  // A JSON string in ASCII is a Python string literal of the same text.
  const sinkLine = sink === undefined ? '' : `SINK = ${JSON.stringify(sink)}\n`;
  return `RECEIPT_PATH = ${JSON.stringify(receiptPath)}\n${sinkLine}${receipt}${behaviour}\n\nmain()\n`;
}
