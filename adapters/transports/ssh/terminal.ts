import { randomInt } from 'node:crypto';
import { CappedBytes } from '../../shared/capped-bytes.ts';
import type { Pipes } from '../../shared/pipes.ts';

/** What the shell said by showing its prompt: its process id, and how the line before had ended. */
export type Prompt = { readonly pid: number; readonly status: number };

/** What was shown between two prompts. */
export type Shown = { readonly prompt: Prompt; readonly output: CappedBytes };

/** More than a prompt is long, so that one that comes in two pieces is still seen. */
const promptRoom = 80;

const forBash = '[ -z "$BASH_VERSION" ] || set +H';
const forZsh =
  '[ -z "$ZSH_VERSION" ] || eval "unsetopt zle prompt_cr prompt_sp bang_hist; setopt prompt_subst; precmd_functions=() preexec_functions=() RPS1=; unset -f precmd preexec; stty -echo -opost" 2>/dev/null';

/**
 * An interactive shell, as somebody sees it who types a line and waits for the next prompt. The prompt is made one that no
 * output can fake: random words around the shell's process id and the last exit status, which sh(1) fills in each time.
 */
export class Terminal {
  readonly #pipes: Pipes;
  readonly #words = [randomWord(), randomWord()] as const;
  readonly #prompt: RegExp;
  readonly #cap: number;
  #tail = Buffer.alloc(0);
  #output: CappedBytes;
  #shown: (shown: Shown) => void = () => undefined;

  constructor(pipes: Pipes, cap: number) {
    this.#pipes = pipes;
    this.#cap = cap;
    this.#output = new CappedBytes(cap);
    this.#prompt = new RegExp(`${this.#words[0]}(\\d+) (\\d+)${this.#words[1]}`);
    pipes.stdin.on('error', () => undefined);
    pipes.stderr.resume();
    pipes.stdout.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
  }

  /**
   * Waits for the shell to be there, whatever greets first. `PROMPT_COMMAND` (bash) could undo the prompt, and a history file
   * would be left behind; `!` in a line would be replaced by an earlier one. zsh would draw lines by itself, and needs to be told
   * that a prompt may hold variables.
   */
  async begin(): Promise<Shown> {
    return this.type(
      `unset PROMPT_COMMAND HISTFILE; ${forBash}; ${forZsh}; PS1='${this.#words[0]}$$ $?${this.#words[1]}' PS2=`,
    );
  }

  /** Types lines; resolves when the prompt is there again. One at a time. */
  async type(lines: string): Promise<Shown> {
    this.#output = new CappedBytes(this.#cap);
    const { promise, resolve } = Promise.withResolvers<Shown>();
    this.#shown = resolve;
    this.#pipes.stdin.write(`${lines}\n`);
    return promise;
  }

  /** What has been shown since the last line was typed. */
  soFar(): CappedBytes {
    this.#output.push(this.#tail);
    this.#tail = Buffer.alloc(0);
    return this.#output;
  }

  #read(chunk: Buffer): void {
    let text = Buffer.concat([this.#tail, chunk]);
    const match = this.#prompt.exec(text.toString('latin1'));
    if (match !== null) {
      this.#output.push(text.subarray(0, match.index));
      this.#shown({ prompt: { pid: Number(match[1]), status: Number(match[2]) }, output: this.#output });
      this.#output = new CappedBytes(this.#cap);
      text = text.subarray(match.index + match[0].length);
    }
    const keep = Math.min(promptRoom, text.length);
    this.#output.push(text.subarray(0, text.length - keep));
    this.#tail = text.subarray(text.length - keep);
  }
}

function randomWord(): string {
  return Array.from({ length: 12 }, () => String.fromCharCode(97 + randomInt(26))).join('');
}
