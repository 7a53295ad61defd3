import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Secrets } from '../ports.ts';
import type { Redactor } from './redact.ts';
import { shortestSecret } from './secret-forms.ts';
import type { SecretVariables } from './secret-variables.ts';

/** Reads `env:NAME`, `file:PATH` (relative to `folder`) and `exec:COMMAND`, once each, and tells the redactor. */
export class SecretReader implements Secrets {
  readonly #folder: string;
  readonly #redactor: Redactor;
  readonly #variables: SecretVariables;
  readonly #read = new Map<string, Promise<Uint8Array>>();

  constructor(folder: string, redactor: Redactor, variables: SecretVariables) {
    this.#folder = folder;
    this.#redactor = redactor;
    this.#variables = variables;
  }

  read(reference: string): Promise<Uint8Array> {
    const known = this.#read.get(reference) ?? this.#fetch(reference);
    this.#read.set(reference, known);
    return known;
  }

  async #fetch(reference: string): Promise<Uint8Array> {
    const colon = reference.indexOf(':');
    const kind = reference.slice(0, colon);
    const name = reference.slice(colon + 1);
    const bytes = await this.#value(kind, name);
    if (bytes.byteLength < shortestSecret)
      throw new Error(
        `${kind}:${kind === 'exec' ? '…' : name} gives a secret of less than ${shortestSecret} bytes: too short to be kept out of records safely`,
      );
    this.#redactor.add(kind === 'exec' ? 'exec' : `${kind}:${name.split('/').at(-1) ?? ''}`, bytes);
    return bytes;
  }

  async #value(kind: string, name: string): Promise<Uint8Array> {
    switch (kind) {
      case 'env': {
        const value = this.#variables.read(name);
        if (value === undefined || value === '')
          throw new Error(`env:${name} is not set; export it before starting detproof`);
        return Buffer.from(value);
      }
      case 'file':
        try {
          return await readFile(resolve(this.#folder, name));
        } catch (error) {
          throw new Error(`file:${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`, {
            cause: error,
          });
        }
      case 'exec':
        return output(name);
      default:
        throw new Error('a secret is given as env:NAME, file:PATH or exec:COMMAND');
    }
  }
}

/** Standard output of a password manager's command, without the final line break. Its words are not repeated in errors. */
function output(command: string): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    execFile(
      '/bin/sh',
      ['-c', command],
      { encoding: 'buffer', timeout: 30_000, maxBuffer: 1_048_576 },
      (error, stdout) => {
        if (error === null) done(stdout.at(-1) === 0x0a ? stdout.subarray(0, -1) : stdout);
        else
          fail(
            new Error(
              `the command of an exec: secret ended with ${error.killed === true ? 'a time-out' : `code ${error.code ?? '?'}`}`,
            ),
          );
      },
    );
  });
}
