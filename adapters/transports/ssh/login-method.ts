import type { AnyAuthMethod } from 'ssh2';
import type { Credential } from './credentials.ts';
import { KeyboardAnswers } from './keyboard.ts';

/** How far the authentication of one connection came. */
export type Progress = {
  /** The server has seen the credential. */
  readonly offered: boolean;
  /** The methods that the server would (still) take. */
  readonly taken: readonly string[];
  /** It took the credential and asks for one more. */
  readonly partial: boolean;
  /** Why the login was broken off here. */
  readonly givenUp: { readonly refused: boolean; readonly because: string } | undefined;
};

/**
 * Goes straight to the one method of a credential, once, and never on to another. For a password there are two methods that
 * carry it: the server is asked first which one it takes (method `none`, as every client does; it is no failed login).
 */
export class LoginMethod {
  readonly #account: string;
  readonly #credential: Credential;
  readonly #giveUp: () => void;
  #offered = false;
  #asked = false;
  #taken: readonly string[] = [];
  #partial = false;
  #givenUp: Progress['givenUp'];

  /** `giveUp` ends the connection. */
  constructor(account: string, credential: Credential, giveUp: () => void) {
    this.#account = account;
    this.#credential = credential;
    this.#giveUp = giveUp;
  }

  get progress(): Progress {
    return { offered: this.#offered, taken: this.#taken, partial: this.#partial, givenUp: this.#givenUp };
  }

  /** ssh2 asks before each attempt; undefined ends the login. Before the server's first answer there is no list. */
  next(methods: readonly string[] | null, partial: boolean | null): AnyAuthMethod | undefined {
    this.#partial = partial === true;
    if (methods !== null) this.#taken = methods;
    if (this.#offered) return undefined;
    if (this.#credential.type !== 'password') {
      this.#offered = true;
      return { ...this.#credential, username: this.#account };
    }
    if (!this.#asked) {
      this.#asked = true;
      return { type: 'none', username: this.#account };
    }
    return this.#passwordMethod(this.#credential.password);
  }

  /** The server wants another password before it lets this one in (RFC 4252, section 8). */
  passwordChange(prompt: string): void {
    this.stop(true, `the password has expired and must be changed (it says: ${JSON.stringify(prompt.slice(0, 200))})`);
  }

  stop(refused: boolean, because: string): void {
    this.#givenUp ??= { refused, because };
    this.#giveUp();
  }

  #passwordMethod(password: string): AnyAuthMethod | undefined {
    const username = this.#account;
    if (this.#taken.includes('keyboard-interactive')) {
      this.#offered = true;
      const answers = new KeyboardAnswers(password);
      return {
        type: 'keyboard-interactive',
        username,
        prompt: (name, instructions, _lang, prompts, finish) => {
          const reply = answers.reply({ name, instructions, prompts });
          if (reply.is === 'answers') finish([...reply.answers]);
          else this.stop(reply.refused, reply.because);
        },
      };
    }
    if (!this.#taken.includes('password')) {
      this.#givenUp = { refused: false, because: 'it takes no password' };
      return undefined;
    }
    this.#offered = true;
    return { type: 'password', username, password };
  }
}
