import { createHmac, randomBytes } from 'node:crypto';
import { formsOf, type SecretForms } from './secret-forms.ts';

/**
 * Takes secrets out of bytes before they are hashed and kept, and out of text before it is shown. Each is replaced by
 * `«secret:NAME:TOKEN»`; the token is keyed by the process, so that equal secrets can be told equal and none can be guessed.
 */
export class Redactor {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, SecretForms & { readonly replacement: string }>();

  /** `name` says where the secret came from (`env:PASSWORD`). All common encodings of it are known from now on. */
  add(name: string, secret: Uint8Array): void {
    const token = createHmac('sha256', this.#key).update(secret).digest('hex').slice(0, 8);
    const replacement = latin1(`«secret:${name.replace(/[^\w.:-]/g, '_')}:${token}»`);
    this.#known.set(replacement, { ...formsOf(secret), replacement });
  }

  bytes(bytes: Uint8Array): Uint8Array {
    const text = Buffer.from(bytes).toString('latin1');
    const clean = this.#replace(text);
    return clean === text ? bytes : Buffer.from(clean, 'latin1');
  }

  text(text: string): string {
    return Buffer.from(this.bytes(Buffer.from(text))).toString('utf8');
  }

  #replace(text: string): string {
    let clean = text;
    for (const { pattern, literals, replacement } of this.#known.values()) {
      for (const form of literals) clean = clean.replaceAll(form, () => replacement);
      if (pattern !== undefined) clean = clean.replace(pattern, () => replacement);
    }
    for (const [pattern, name] of shapes) clean = clean.replace(pattern, latin1(`«secret:${name}»`));
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
