import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../../../runner/domain/time.ts';
import { TransportFailure } from '../../../runner/ports.ts';
import { Lifeline } from '../../shared/lifeline.ts';
import type { Pipes, PipesEnd } from '../../shared/pipes.ts';
import { connectFailure, sessionFailure } from './failures.ts';
import { type Destination, sshOptions } from './options.ts';
import { SshProcess } from './ssh-process.ts';

/** ssh's own exit code for what went wrong with itself (ssh(1), EXIT STATUS); a command may have it too. */
const sshFailed = 255;
const connectionEndMs = 300;

/**
 * One connection of OpenSSH's ssh, shared by all that runs over it (ControlMaster), with its socket in a folder that only this
 * user can enter. Breaks when ssh ends.
 */
export class Master {
  readonly lifeline = new Lifeline();
  readonly #host: string;
  readonly #folder: string;
  readonly #socket: string;
  readonly #program: string;
  readonly #arguments: readonly string[];
  readonly #process: SshProcess;

  private constructor(host: string, folder: string, program: string, args: readonly string[], process: SshProcess) {
    this.#host = host;
    this.#folder = folder;
    this.#socket = socketIn(folder);
    this.#program = program;
    this.#arguments = args;
    this.#process = process;
  }

  /** One attempt. Throws {@link TransportFailure}. */
  static async connect(host: string, to: Destination, signal: AbortSignal): Promise<Master> {
    const folder = await mkdtemp(join(tmpdir(), 'detproof-ssh-'));
    await chmod(folder, 0o700);
    const { program } = to.settings;
    const args = [...sshOptions(to, socketIn(folder)), '--', to.address];
    // `-N`: no command; the master stays in the foreground, as a child that is seen to end.
    const process = await SshProcess.start(program, ['-M', '-N', ...args]);
    process.stdin.end();
    process.stdout.resume();
    const master = new Master(host, folder, program, args, process);
    try {
      await master.#ready(to, signal);
      return master;
    } catch (error) {
      await master.close();
      throw error;
    }
  }

  /** Gives one line to the login shell. */
  async exec(line: string, signal: AbortSignal): Promise<Pipes> {
    return this.lifeline.wait<Pipes>(
      (resolve, reject) => {
        this.#start(line).then(resolve, reject);
      },
      {
        signal,
        stopped: () => new TransportFailure('aborted', `stopped before ${this.#host} had opened a channel`),
      },
    );
  }

  async #start(line: string): Promise<Pipes> {
    const child = await SshProcess.start(this.#program, [
      '-o',
      'ControlMaster=no',
      '-o',
      'ProxyCommand=false',
      ...this.#arguments,
      line,
    ]);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString('utf8')}`.slice(-2_000);
    });
    const ended = this.lifeline.wait<PipesEnd>((resolve, reject) => {
      void child.ended.then(({ code, why }) => {
        if (code === undefined)
          reject(new TransportFailure('not-started', `ssh could not be started or was ended: ${why}`));
        else if (code !== sshFailed) resolve({ kind: 'code', code });
        // The command's own, or of a connection that is just ending: then the master ends too.
        else
          setTimeout(() => {
            resolve({ kind: 'code', code: sshFailed, ifNotStarted: sessionFailure(this.#host, said) });
          }, connectionEndMs);
      });
    });
    ended.catch(() => undefined);
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      ended,
      release() {
        for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
        void child.end();
      },
    };
  }

  async close(): Promise<void> {
    this.lifeline.break(new TransportFailure('aborted', `the session with ${this.#host} is closed`));
    await this.#process.end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Waits for the login: ssh makes its socket then. */
  async #ready(to: Destination, signal: AbortSignal): Promise<void> {
    const where = `${this.#host} (${to.address}${to.settings.port === undefined ? '' : `:${to.settings.port}`})`;
    const login = `as ${to.account} with ${[to.login.key, to.login.certificate, to.agent && 'an agent'].filter(Boolean).join(', ')}`;
    let said = '';
    this.#process.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString('utf8')}`.slice(-4_000);
    });
    const life = { over: false };
    void this.#process.gone.then(({ code, why }) => {
      life.over = true;
      if (code === undefined) said += why;
      const text = said.replace(/\s+/g, ' ').trim().slice(0, 300);
      this.lifeline.break(
        new TransportFailure(
          'lost',
          `the connection to ${this.#host} was lost: ${text || 'ssh ended'}. A command that was under way may have run, or may still be running there: how it went is unknown`,
        ),
      );
    });
    const limitMs = (parseDuration(to.settings.connectTimeout) ?? 0) + 1_000;
    const began = Date.now();
    for (;;) {
      await sleep(25);
      if (signal.aborted) throw new TransportFailure('aborted', `stopped while connecting to ${this.#host}`);
      if (life.over) throw connectFailure(where, login, said);
      if (existsSync(this.#socket)) return;
      if (Date.now() - began > limitMs)
        throw connectFailure(where, login, `timed out after ${to.settings.connectTimeout} ${said}`);
    }
  }
}

function socketIn(folder: string): string {
  return join(folder, 'm');
}
