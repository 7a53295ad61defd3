import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { account } from './peer.ts';

const program = '/usr/bin/ntlm_auth';

/** Why Samba's acceptor cannot be asked here; undefined when it can. */
export async function ntlmAuthMissing(): Promise<string | undefined> {
  return access(program).then(
    () => undefined,
    () => `${program} is not installed (Debian: apt-get install winbind)`,
  );
}

/**
 * Samba's NTLM acceptor without a domain, for one login at a time: it knows {@link account} and says what it thinks of each
 * message, in the protocol that squid speaks with it. Its password is a test's own, so it may stand on a command line.
 */
export class NtlmAuth implements AsyncDisposable {
  readonly #folder: string;
  readonly #ask: (line: string) => Promise<string>;
  readonly #stop: () => Promise<void>;

  private constructor(folder: string, ask: (line: string) => Promise<string>, stop: () => Promise<void>) {
    this.#folder = folder;
    this.#ask = ask;
    this.#stop = stop;
  }

  static async start(): Promise<NtlmAuth> {
    const folder = await mkdtemp(join(tmpdir(), 'detproof-ntlm-auth-'));
    const state = ['private dir', 'lock directory', 'state directory', 'cache directory'];
    const child = spawn(program, [
      '--helper-protocol=squid-2.5-ntlmssp',
      ...['--configfile=/dev/null', `--username=${account.user}`, `--domain=${account.domain}`],
      `--password=${account.password}`,
      ...state.map((name) => `--option=${name}=${folder}`),
    ]);
    const log: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
    const gone = once(child, 'exit').then((): never => {
      throw new Error(`ntlm_auth ended: ${log.join('')}`);
    });
    gone.catch(() => undefined);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const ask = async (line: string): Promise<string> => {
      child.stdin.write(`${line}\n`);
      const answer = await Promise.race([lines.next(), gone]);
      return String(answer.value);
    };
    return new NtlmAuth(folder, ask, async () => {
      child.stdin.end();
      await gone.catch(() => undefined);
    });
  }

  /** NEGOTIATE → CHALLENGE. */
  async challenge(negotiate: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#ask(`YR ${base64(negotiate)}`);
    if (!answer.startsWith('TT ')) throw new Error(`ntlm_auth answered ${answer}`);
    return Buffer.from(answer.slice(3), 'base64');
  }

  /** AUTHENTICATE → `AF user`, or `NA reason`. */
  authenticate(message: Uint8Array): Promise<string> {
    return this.#ask(`KK ${base64(message)}`);
  }

  /** The session key that the client chose, of the login just accepted. */
  async sessionKey(): Promise<Uint8Array> {
    const answer = await this.#ask('GK');
    if (!answer.startsWith('GK ')) throw new Error(`ntlm_auth answered ${answer}`);
    return Buffer.from(answer.slice(3), 'base64');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.#folder, { recursive: true });
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
