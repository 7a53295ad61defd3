/** Where one of a command's streams goes; `handle` 0 input, 1 output, 2 errors. */
export type Redirect =
  | { readonly handle: number; readonly kind: 'read' | 'write' | 'append'; readonly file: string }
  | { readonly handle: number; readonly kind: 'same-as'; readonly other: number };

/** What stands behind `if`. */
export type Condition =
  | { readonly is: 'exist' | 'defined' | 'errorlevel'; readonly what: string }
  | { readonly is: 'equal'; readonly left: string; readonly right: string; readonly ignoreCase: boolean };

export type CmdNode =
  | { readonly kind: 'command'; readonly text: string; readonly redirects: readonly Redirect[] }
  | { readonly kind: 'group'; readonly body: CmdNode; readonly redirects: readonly Redirect[] }
  | { readonly kind: 'then' | 'and' | 'or' | 'pipe'; readonly left: CmdNode; readonly right: CmdNode }
  | {
      readonly kind: 'if';
      readonly negated: boolean;
      readonly condition: Condition;
      readonly then: CmdNode;
      readonly otherwise: CmdNode | undefined;
    };

/** A line that cmd.exe does not understand; the message is what it prints. */
export class CmdSyntaxError extends Error {}

const delimiters = ' \t,;=';

/**
 * Parses a command line of cmd.exe, its variables already put in: quotes, `^`, redirections, `|`, `&&`, `||`, `&` (in this
 * order of strength), groups and `if`. What the language has besides is refused by the commands themselves.
 */
export function parseCmd(line: string): CmdNode | undefined {
  const parser = new Parser(line);
  return parser.whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): CmdNode | undefined {
    this.#skipBlanks();
    if (this.#at >= this.#text.length) return undefined;
    const node = this.#sequence();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return node;
  }

  #sequence(): CmdNode {
    let left = this.#or();
    while (this.#is('&') && !this.#is('&&')) {
      this.#at += 1;
      this.#skipBlanks();
      if (this.#at >= this.#text.length || this.#closes()) break;
      left = { kind: 'then', left, right: this.#or() };
    }
    return left;
  }

  #or(): CmdNode {
    let left = this.#and();
    while (this.#take('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): CmdNode {
    let left = this.#pipe();
    while (this.#take('&&')) left = { kind: 'and', left, right: this.#pipe() };
    return left;
  }

  #pipe(): CmdNode {
    let left = this.#unit();
    while (this.#is('|') && !this.#is('||')) {
      this.#at += 1;
      left = { kind: 'pipe', left, right: this.#unit() };
    }
    return left;
  }

  #unit(): CmdNode {
    this.#skipBlanks();
    if (this.#take('@')) return this.#unit();
    if (this.#is('(')) return this.#group();
    if (/^if[\s(]/i.test(this.#text.slice(this.#at))) return this.#if();
    return this.#command();
  }

  #group(): CmdNode {
    this.#at += 1;
    this.#depth += 1;
    this.#skipBlanks();
    const body = this.#sequence();
    this.#skipBlanks();
    if (!this.#is(')')) throw this.#unexpected();
    this.#at += 1;
    this.#depth -= 1;
    const redirects: Redirect[] = [];
    do this.#skipBlanks();
    while (this.#redirect(redirects));
    return { kind: 'group', body, redirects };
  }

  #if(): CmdNode {
    this.#at += 2;
    let word = this.#word();
    let [ignoreCase, negated] = [false, false];
    for (; /^(?:\/i|not)$/i.test(word); word = this.#word())
      if (word.toLowerCase() === 'not') negated = true;
      else ignoreCase = true;
    const condition = this.#condition(word, ignoreCase);
    const then = this.#unitWithPipes();
    this.#skipBlanks();
    const hasElse = then.kind === 'group' && /^else[\s(]/i.test(this.#text.slice(this.#at));
    if (hasElse) this.#at += 4;
    return { kind: 'if', negated, condition, then, otherwise: hasElse ? this.#unitWithPipes() : undefined };
  }

  /** What depends on an `if` is all that follows it, unless it is a group. */
  #unitWithPipes(): CmdNode {
    this.#skipBlanks();
    return this.#is('(') ? this.#group() : this.#sequence();
  }

  #condition(word: string, ignoreCase: boolean): Condition {
    const is = (['exist', 'defined', 'errorlevel'] as const).find((name) => name === word.toLowerCase());
    if (is !== undefined) return { is, what: this.#word() };
    const glued = /^(.*?)==(.*)$/.exec(word);
    if (glued !== null && glued[2] !== '')
      return { is: 'equal', left: glued[1] ?? '', right: glued[2] ?? '', ignoreCase };
    if (glued === null && !this.#take('==')) throw this.#unexpected();
    return { is: 'equal', left: glued?.[1] ?? word, right: this.#word(), ignoreCase };
  }

  #command(): CmdNode {
    const redirects: Redirect[] = [];
    let text = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? '';
      if ('&|'.includes(character) || this.#closes()) break;
      if (this.#redirect(redirects, text)) continue;
      text += this.#piece();
    }
    if (text.trim() === '' && redirects.length === 0) throw this.#unexpected();
    return { kind: 'command', text: text.trimStart(), redirects };
  }

  /** A quoted stretch, an escaped character, or a character. */
  #piece(): string {
    const character = this.#text[this.#at] ?? '';
    if (character === '"') {
      const end = this.#text.indexOf('"', this.#at + 1);
      const piece = this.#text.slice(this.#at, end === -1 ? undefined : end + 1);
      this.#at += piece.length;
      return piece;
    }
    const escaped = character === '^' && this.#at + 1 < this.#text.length;
    if (escaped) this.#at += 1;
    const piece = this.#text[this.#at] ?? '';
    this.#at += 1;
    return character === '^' && !escaped ? '' : piece;
  }

  /** A digit counts as a handle when it is a word of its own. */
  #redirect(into: Redirect[], before = ' '): boolean {
    const match = /^([0-9]?)(>>|>|<)(?:&([0-9]))?/.exec(this.#text.slice(this.#at));
    if (match === null) return false;
    const [whole, digit = '', operator = '', other] = match;
    if (digit !== '' && before !== '' && !delimiters.includes(before.at(-1) ?? ' ')) return false;
    this.#at += whole.length;
    const handle = digit === '' ? (operator === '<' ? 0 : 1) : Number(digit);
    if (other !== undefined) into.push({ handle, kind: 'same-as', other: Number(other) });
    else {
      const kind = operator === '<' ? 'read' : operator === '>' ? 'write' : 'append';
      const file = this.#word();
      if (file === '') throw this.#unexpected();
      into.push({ handle, kind, file });
    }
    return true;
  }

  /** A word without its quotes. */
  #word(): string {
    this.#skipBlanks();
    let word = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? '';
      if (/[\s&|<>]/.test(character) || character === '(' || this.#closes()) break;
      word += this.#piece();
    }
    return word.replaceAll('"', '');
  }

  #closes(): boolean {
    return this.#depth > 0 && this.#is(')');
  }

  #is(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const found = this.#is(text);
    if (found) this.#at += text.length;
    return found;
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #unexpected(): CmdSyntaxError {
    const rest = /^\S+/.exec(this.#text.slice(this.#at).trimStart())?.[0];
    return new CmdSyntaxError(
      rest === undefined ? 'The syntax of the command is incorrect.' : `${rest} was unexpected at this time.`,
    );
  }
}

/**
 * Puts variables into a line: `%NAME%`, `%NAME:a=b%`. On the command line an unknown name stays as it is; in a batch file it
 * is nothing, `%%` is a per cent sign, `%1` an argument as it was written, `%~1` without its quotation marks, and `%~dp0` the folder
 * of the batch file with a backslash behind it.
 */
export function expandVariables(
  line: string,
  valueOf: (name: string) => string | undefined,
  batch: readonly string[] | undefined,
): string {
  const pattern =
    batch === undefined
      ? /%([^%:]+)(?::([^%=]+)=([^%]*))?%/g
      : /%%|%((?:~(?:dp)?)?[0-9*])|%([^%:]+)(?::([^%=]+)=([^%]*))?%/g;
  return line.replace(pattern, (whole: string, ...groups: (string | undefined)[]) => {
    if (batch !== undefined) {
      if (whole === '%%') return '%';
      const argument = groups.shift();
      if (argument !== undefined) return argumentOf(argument, batch);
    }
    const [name = '', from, to = ''] = groups;
    const value = valueOf(name);
    if (value === undefined) return batch === undefined ? whole : '';
    return from === undefined ? value : value.replaceAll(from, to);
  });
}

function argumentOf(argument: string, batch: readonly string[]): string {
  if (argument.endsWith('*')) return batch.slice(1).join(' ');
  const written = batch[Number(argument.slice(-1))] ?? '';
  const bare = written.replace(/^"(.*)"$/, '$1');
  return argument.startsWith('~dp')
    ? bare.slice(0, bare.lastIndexOf('\\') + 1)
    : argument.startsWith('~')
      ? bare
      : written;
}

/** What follows `/c` in cmd.exe's own command line, after its rule about outer quotes (`cmd /?`). */
export function commandOf(line: string, isProgram: (text: string) => boolean): string | undefined {
  const match = /^\s*(?:"[^"]*"|\S+)((?:\s*\/(?:[adqsuvefADQSUVEF](?::\w+)?|[tT]:\w\w))*)\s*\/[ckrCKR]\s*(.*)$/s.exec(
    line,
  );
  if (match === null) return undefined;
  const [, switches = '', text = ''] = match;
  const quotes = text.split('"').length - 1;
  const kept =
    !/\/s/i.test(switches) &&
    quotes === 2 &&
    text.startsWith('"') &&
    !/[&<>()@^|]/.test(text) &&
    /\s/.test(text.slice(1, text.lastIndexOf('"'))) &&
    isProgram(text.slice(1, text.lastIndexOf('"')));
  if (!text.startsWith('"') || kept) return text;
  const last = text.lastIndexOf('"');
  return last === 0 ? text.slice(1) : text.slice(1, last) + text.slice(last + 1);
}
