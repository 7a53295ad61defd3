/** Secrets shorter than this would blacken ordinary text; the loader of secrets refuses them. */
export const shortestSecret = 6;

/** A longer one (a private key, a certificate) is known by fewer forms: a pattern of all of them would be too large to run. */
const longestPattern = 256;

/** What a secret is recognised by in latin1 text (one character per byte). */
export type SecretForms = { readonly pattern: RegExp | undefined; readonly literals: readonly string[] };

/**
 * Everything a secret can look like in what detproof keeps: as it is, escaped for URLs, JSON, HTML or a shell, in Base64 wherever
 * it begins, and in hex. A secret of several lines is also known by each long line. The longest comes first.
 */
export function formsOf(secret: Uint8Array): SecretForms {
  const text = Buffer.from(secret).toString('latin1');
  const lines = text.split(/\r?\n/).filter((line) => line.trim().length >= 16 && !line.startsWith('-----'));
  const wholes = [...new Set([text, text.trim()])].filter((one) => one.length >= shortestSecret);
  const sources = wholes.filter((one) => one.length <= longestPattern).map(escapedForms);
  const literals = wholes.flatMap((one) => {
    const bytes = Buffer.from(one, 'latin1');
    const utf8 = bytes.toString('utf8');
    const escaped = [JSON.stringify(utf8).slice(1, -1), encodeURIComponent(utf8.toWellFormed())];
    return [one, ...encodedForms(bytes), ...escaped.map((form) => Buffer.from(form).toString('latin1'))];
  });
  return {
    pattern: sources.length === 0 ? undefined : new RegExp(sources.join('|'), 'g'),
    literals: [...new Set([...literals, ...lines])].sort((a, b) => b.length - a.length),
  };
}

/** Forms in which bytes do not keep to themselves. */
function encodedForms(bytes: Buffer): readonly string[] {
  const hex = bytes.toString('hex');
  const wide = Buffer.from(bytes.toString('utf8'), 'utf16le');
  const base64 = [bytes, wide].flatMap((one) => [0, 1, 2].flatMap((offset) => base64At(one, offset)));
  return [hex, hex.toUpperCase(), wide.toString('latin1'), ...base64].filter((form) => form.length >= shortestSecret);
}

/** The characters that are the same whatever stands before (`offset` bytes into a group of three) and behind. */
function base64At(bytes: Buffer, offset: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const kept = padded.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((padded.length * 8) / 6));
  return [kept, kept.replaceAll('+', '-').replaceAll('/', '_')];
}

/** Each character as itself or escaped in any of the usual ways, also mixed. */
function escapedForms(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  const text = bytes.toString('utf8');
  const characters = Buffer.from(text).equals(bytes) ? Array.from(text) : Array.from(latin1);
  return characters.map((character) => `(?:${[...new Set(spellings(character))].join('|')})`).join('');
}

const named: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };
const control: Readonly<Record<string, string>> = { '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't' };

/** Longest first, since the character itself may begin a longer one. */
function spellings(character: string): readonly string[] {
  const code = character.codePointAt(0) ?? 0;
  const bytes = code < 0x80 ? Buffer.from([code]) : Buffer.from(character, 'utf8');
  const percent = [...bytes].map((byte) => `%${anyCase(byte.toString(16).padStart(2, '0'))}`).join('');
  const units = character.split('').map((unit) => `\\\\u${anyCase(unit.charCodeAt(0).toString(16).padStart(4, '0'))}`);
  const short = control[character] ?? (/["'/\\]/.test(character) ? character : undefined);
  return [
    ...(character === "'" ? [literal("'\\''"), literal(`'"'"'`)] : []),
    units.join(''),
    `&#x0*${anyCase(code.toString(16))};`,
    `&#0*${code};`,
    ...(named[character] === undefined ? [] : [`&${named[character]};`]),
    percent,
    ...(short === undefined ? [] : [literal(`\\${short}`)]),
    ...(character === ' ' ? ['\\+'] : []),
    literal(bytes.toString('latin1')),
  ];
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
