import type { NonEmpty } from '../domain/non-empty.ts';
import type { PythonStep } from '../domain/scenario.ts';

/** What the placeholders of a step stand for in one execution. */
export type Place = {
  readonly home: string;
  /** Name of the neutral folder in the home. */
  readonly run: string;
  readonly marker: string;
  readonly interpreter: string;
  /** A fresh name for a copied or linked interpreter: a rule must not be able to key on one of ours. */
  readonly alias: string;
  readonly receiptPath: string;
};

export type PlacedFile = { readonly path: string; readonly bytes: Uint8Array; readonly mode: number };

/** One step, ready to be carried out: what is put in place first, and the command. */
export type Invocation = {
  readonly files: readonly PlacedFile[];
  readonly copies: readonly { readonly kind: 'copy' | 'link'; readonly from: string; readonly to: string }[];
  readonly argv: NonEmpty<string>;
  readonly cwd?: string;
  readonly stdin?: Uint8Array;
};

export type Payloads = {
  /** Text of a file below scenarios/payloads. */
  readonly read: (name: string) => string;
  /** A zip archive with these entries. */
  readonly zip: (entries: Readonly<Record<string, Uint8Array>>) => Uint8Array;
};

const utf8 = new TextEncoder();

/** The step as files and a command, for its interpreter and invocation. Pure. */
export function invocation(step: PythonStep, place: Place, payloads: Payloads): Invocation {
  const source = compose(step.script, place.receiptPath, payloads);
  const args = step.args.map((arg) => fill(arg, place));
  const cwd = step.cwd === undefined ? undefined : fill(step.cwd, place);
  const at = fill(step.at, place);
  const renamed = `${place.home}/${place.run}/${place.alias}`;
  const swapped = step.interpreter === 'renamed' || step.interpreter === 'symlink';
  const interpreter = swapped ? renamed : place.interpreter;
  const direct = step.interpreter === 'shebang';
  const start = (path: string): NonEmpty<string> => {
    const shown = cwd !== undefined && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
    return direct ? [shown.includes('/') ? shown : `./${shown}`, ...args] : [interpreter, shown, ...args];
  };
  const shebang = direct ? `#!${place.interpreter}\n` : '';
  const mode = direct ? 0o700 : 0o600;
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
    case 'file':
      return { ...base, files: [{ path: at, bytes: utf8.encode(shebang + source), mode }], argv: start(at) };
    case '-c':
      return { ...base, files: [], argv: [interpreter, '-c', source, ...args] };
    case 'stdin':
      return { ...base, files: [], argv: [interpreter, '-', ...args], stdin: utf8.encode(source) };
    case 'module': {
      const slash = at.lastIndexOf('/');
      return {
        ...base,
        files: [{ path: at, bytes: utf8.encode(source), mode }],
        argv: [interpreter, '-m', at.slice(slash + 1).replace(/\.py$/, ''), ...args],
        cwd: at.slice(0, slash),
      };
    }
    case 'zipapp': {
      const path = `${at.replace(/\.py$/, '')}.pyz`;
      const archive = payloads.zip({ '__main__.py': utf8.encode(source) });
      const bytes = new Uint8Array([...utf8.encode(shebang), ...archive]);
      return { ...base, files: [{ path, bytes, mode }], argv: start(path) };
    }
  }
}

/** Replaces the placeholders; the loader has made sure that there are no others. */
export function fill(text: string, place: Pick<Place, 'home' | 'run'> & Partial<Place>): string {
  return text
    .replaceAll('{{home}}', place.home)
    .replaceAll('{{run}}', place.run)
    .replaceAll('{{marker}}', place.marker ?? '');
}

/** Receipt and behaviour as one source that needs no file besides. */
function compose(script: string, receiptPath: string, payloads: Payloads): string {
  const receipt = payloads.read('receipt.py');
  const behaviour = script === 'receipt.py' ? '' : `\n\n${payloads.read(script)}`;
  // A JSON string in ASCII is a Python string literal of the same text.
  return `RECEIPT_PATH = ${JSON.stringify(receiptPath)}\n${receipt}${behaviour}\n\nmain()\n`;
}
