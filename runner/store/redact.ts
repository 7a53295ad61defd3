import { createHmac, randomBytes } from 'node:crypto';

/** Secrets shorter than this would blacken ordinary text; the loader of secrets refuses them. */
export const shortestSecret = 6;

/**
 * Takes secrets out of bytes before they are hashed and kept, and out of text before it is shown. Each is replaced by
 * `«secret:NAME:TOKEN»`; the token is keyed by the run, so that equal secrets can be told equal and none can be guessed.
 */
export class Redactor {
  readonly #key = randomBytes(32);
  readonly #forms = new Map<string, string>();

  /** `name` says where the secret came from (`env:PASSWORD`). All common encodings of it are known from now on. */
  add(name: string, secret: Uint8Array): void {
    const text = Buffer.from(secret).toString('latin1');
    const token = createHmac('sha256', this.#key).update(secret).digest('hex').slice(0, 8);
    const replacement = `«secret:${name}:${token}»`;
    const lines = text.split(/\r?\n/).filter((line) => line.trim().length >= 16 && !line.startsWith('-----'));
    for (const form of [text, text.trim(), ...lines]) {
      if (form.length < shortestSecret) continue;
      const bytes = Buffer.from(form, 'latin1');
      const utf8 = bytes.toString('utf8');
      for (const shape of [
        form,
        bytes.toString('hex'),
        bytes.toString('hex').toUpperCase(),
        bytes.toString('base64').replace(/=+$/, ''),
        bytes.toString('base64url'),
        latin1(encodeURIComponent(utf8)),
        latin1(JSON.stringify(utf8).slice(1, -1)),
      ])
        if (shape.length >= shortestSecret) this.#forms.set(shape, replacement);
    }
  }

  bytes(bytes: Uint8Array): Uint8Array {
    const text = Buffer.from(bytes).toString('latin1');
    const clean = this.#replace(text, (replacement) => latin1(replacement));
    return clean === text ? bytes : Buffer.from(clean, 'latin1');
  }

  text(text: string): string {
    return Buffer.from(this.bytes(Buffer.from(text))).toString('utf8');
  }

  #replace(text: string, written: (replacement: string) => string): string {
    let clean = text;
    // Longest first: a form may hold a shorter one.
    const forms = [...this.#forms].sort(([a], [b]) => b.length - a.length);
    for (const [form, replacement] of forms) clean = clean.replaceAll(form, written(replacement));
    for (const [pattern, name] of shapes) clean = clean.replace(pattern, written(`«secret:${name}»`));
    return clean;
  }
}

/** Text that is a secret by its shape, whoever it belongs to. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[^-]{0,20000}-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/g, 'private-key'],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, 'aws-key'],
  [/\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}/g, 'jwt'],
  [
    /(?<=\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:basic|bearer|splunk|apikey) {1,4})[A-Za-z0-9+/=._~-]{8,4000}/gi,
    'authorization',
  ],
];

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
