/** One round of keyboard-interactive (RFC 4256, section 3.2), as the server asks it. */
export type Round = {
  readonly name: string;
  readonly instructions: string;
  readonly prompts: readonly { readonly prompt: string; readonly echo?: boolean | undefined }[];
};

/** `refused`: the server has seen the credential and does not take it as it is. */
export type Reply =
  | { readonly is: 'answers'; readonly answers: readonly string[] }
  | { readonly is: 'given-up'; readonly refused: boolean; readonly because: string };

const asksForPassword = /pass\s*(?:word|code|phrase)/i;

/** What PAM and sshd say when a password must be changed now (pam_unix, pam_sss, ESXi, AIX), seen in a prompt or above it. */
const wantsChange =
  /new\s+(?:unix\s+|ldap\s+)?pass|\bcurrent\b.*pass|re-?(?:type|enter)\b|change\s+(?:your|the)\s+pass|password\s+(?:has\s+|is\s+)?expired|\(current\)/i;

/**
 * Answers the rounds of one login: the prompt that asks for the password gets it, once; a round without prompts gets no
 * answers. Anything else is given up: a wrong guess costs a failed login, and too many of them lock the account.
 */
export class KeyboardAnswers {
  readonly #password: string;
  #given = false;

  constructor(password: string) {
    this.#password = password;
  }

  /** Was the password sent? */
  get given(): boolean {
    return this.#given;
  }

  reply({ name, instructions, prompts }: Round): Reply {
    const said = [name, instructions, ...prompts.map(({ prompt }) => prompt)].map((text) => text.trim()).join(' ');
    if (wantsChange.test(said))
      return {
        is: 'given-up',
        refused: true,
        because: `the password has expired and must be changed (it asks: ${quoted(said)}). Log in by hand and change it, then update what the reference points to; nothing is changed here`,
      };
    const answers: string[] = [];
    for (const { prompt, echo } of prompts) {
      if (echo === true || !asksForPassword.test(prompt))
        return {
          is: 'given-up',
          refused: this.#given,
          because: `it asks ${quoted(prompt)}, which a password does not answer. Use a key, or an account without a second factor`,
        };
      if (this.#given)
        return { is: 'given-up', refused: true, because: 'it asks for the password again, so it did not take it' };
      this.#given = true;
      answers.push(this.#password);
    }
    return { is: 'answers', answers };
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.replace(/\s+/g, ' ').trim().slice(0, 200));
}
