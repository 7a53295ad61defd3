import { charSet, classEscapes, invert, withBothCases } from './char-set.ts';
import type { CharRange, CharSet } from './char-set.ts';

/** `end` is the end of the text, or before a line break that ends it, as in PCRE. */
export type Assertion = 'start' | 'end' | 'line-start' | 'line-end' | 'word-edge' | 'no-word-edge';

export type RegexNode =
  /** One code unit out of a set; `literal` when the expression names exactly one (in either case under `i`). */
  | { readonly kind: 'set'; readonly set: CharSet; readonly literal: string | undefined }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'repeat'; readonly part: RegexNode; readonly min: number; readonly max: number };

export type RegexFlag = 'i' | 'm' | 's';

/** What the expression uses that is not supported, or has wrong. */
export class RegexSyntaxError extends Error {}

const maxDepth = 50;
const newline: CharSet = [[10, 10]];
const controlEscapes: ReadonlyMap<string, number> = new Map([
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
  ['e', 27],
  ['a', 7],
]);
/** Groups that decide by looking elsewhere, which cannot be matched in linear time; by how they open. */
const unsupportedGroups: readonly (readonly [opening: string, name: string])[] = [
  ['(?=', 'a lookahead'],
  ['(?!', 'a negative lookahead'],
  ['(?<=', 'a lookbehind'],
  ['(?<!', 'a negative lookbehind'],
  ['(?>', 'an atomic group'],
];

/**
 * Parses the regular expressions that Sigma allows (modifiers appendix 2.1.0: wildcard, anchors, quantifiers, classes,
 * groups, alternation), and what real rules use besides: `\d \w \s \b`, non-capturing groups, a leading `(?i)`.
 * @throws RegexSyntaxError for everything else, rather than giving it a meaning that PCRE would not.
 */
export function parseRegex(source: string, flags: ReadonlySet<RegexFlag>): RegexNode {
  return new RegexParser(source, flags).parse();
}

/** Takes flags off the front of an expression: `(?i)` is PCRE's way to set them for all of it. */
export function splitFlags(source: string): { readonly flags: ReadonlySet<RegexFlag>; readonly rest: string } {
  const [opening = '', flags = ''] = /^\(\?([ims]+)\)/.exec(source) ?? [];
  return { flags: new Set(flags as Iterable<RegexFlag>), rest: source.slice(opening.length) };
}

class RegexParser {
  readonly #source: string;
  readonly #flags: ReadonlySet<RegexFlag>;
  #at = 0;
  #depth = 0;

  constructor(source: string, flags: ReadonlySet<RegexFlag>) {
    this.#source = source;
    this.#flags = flags;
  }

  parse(): RegexNode {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw new RegexSyntaxError('a ) without its (');
    return node;
  }

  #choice(): RegexNode {
    const parts = [this.#sequence()];
    while (this.#accept('|')) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    while (this.#at < this.#source.length && !this.#ahead('|') && !this.#ahead(')')) parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): RegexNode {
    const part = this.#atom();
    const quantifier = /^(?:[*+?]|\{(\d{1,4})(,(\d{1,4})?)?\})/.exec(this.#source.slice(this.#at, this.#at + 12));
    if (quantifier === null) return part;
    const [text, low, comma, high] = quantifier;
    this.#at += text.length;
    if (part.kind === 'assertion') throw new RegexSyntaxError(`the quantifier ${text} after an anchor`);
    if (this.#accept('+')) throw new RegexSyntaxError(`the possessive quantifier ${text}+`);
    // Whether a quantifier is lazy decides what is found, not whether: that is all that matters here.
    this.#accept('?');
    if (/^(?:[*+?]|\{\d)/.test(this.#source.slice(this.#at, this.#at + 2))) {
      throw new RegexSyntaxError(`a second quantifier after ${text}`);
    }
    const min = low === undefined ? (text === '+' ? 1 : 0) : Number(low);
    const max =
      high !== undefined ? Number(high) : low !== undefined && comma === undefined ? min : text === '?' ? 1 : Infinity;
    if (max < min) throw new RegexSyntaxError(`the quantifier ${text} with its bounds the wrong way round`);
    return { kind: 'repeat', part, min, max };
  }

  #atom(): RegexNode {
    const char = this.#source.charAt(this.#at);
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '.':
        this.#at++;
        return set(this.#flags.has('s') ? invert([]) : invert(newline));
      case '^':
        this.#at++;
        return { kind: 'assertion', assertion: this.#flags.has('m') ? 'line-start' : 'start' };
      case '$':
        this.#at++;
        return { kind: 'assertion', assertion: this.#flags.has('m') ? 'line-end' : 'end' };
      case '*':
      case '+':
      case '?':
        throw new RegexSyntaxError(`the quantifier ${char} with nothing before it`);
      default:
        this.#at++;
        return this.#literal(char.charCodeAt(0));
    }
  }

  #group(): RegexNode {
    for (const [opening, name] of unsupportedGroups) {
      if (this.#ahead(opening)) throw new RegexSyntaxError(`${name} ${opening}…)`);
    }
    const opening = /^\((?:\?:|\?P?<\w+>|\?'\w+')?/.exec(this.#source.slice(this.#at, this.#at + 100))?.[0] ?? '(';
    this.#at += opening.length;
    if (this.#ahead('?') || this.#ahead('*'))
      throw new RegexSyntaxError(`the group (${this.#source.slice(this.#at, this.#at + 2)}…)`);
    if (++this.#depth > maxDepth) throw new RegexSyntaxError(`groups nested more than ${maxDepth} deep`);
    const node = this.#choice();
    this.#depth--;
    if (!this.#accept(')')) throw new RegexSyntaxError('a ( without its )');
    return node;
  }

  #class(): RegexNode {
    this.#at++;
    const negated = this.#accept('^');
    const ranges: CharRange[] = [];
    // A ] in first place is a plain character (PCRE); JavaScript would read an empty class.
    while (ranges.length === 0 || !this.#ahead(']')) {
      if (this.#at >= this.#source.length) throw new RegexSyntaxError('a [ without its ]');
      if (/^\[[:.=]/.test(this.#source.slice(this.#at, this.#at + 2)))
        throw new RegexSyntaxError('a POSIX class [:…:]');
      const from = this.#classMember();
      const isRange =
        this.#ahead('-') && this.#at + 1 < this.#source.length && this.#source.charAt(this.#at + 1) !== ']';
      if (typeof from !== 'number') {
        ranges.push(...from);
        if (isRange) throw new RegexSyntaxError('a range in a class that starts with a class such as \\w');
        continue;
      }
      if (isRange) this.#at++;
      const to = isRange ? this.#classMember() : from;
      if (typeof to !== 'number' || to < from)
        throw new RegexSyntaxError('a range in a class with its ends the wrong way round');
      ranges.push([from, to]);
    }
    this.#at++;
    const plain = charSet(ranges);
    const members = this.#flags.has('i') ? withBothCases(plain) : plain;
    return set(negated ? invert(members) : members);
  }

  #classMember(): number | CharSet {
    const char = this.#source.charAt(this.#at++);
    if (/[\ud800-\udfff]/.test(char)) throw new RegexSyntaxError('a character beyond U+FFFF in a class');
    if (char !== '\\') return char.charCodeAt(0);
    if (this.#ahead('b')) {
      this.#at++;
      return 8;
    }
    return this.#escaped();
  }

  #escape(): RegexNode {
    this.#at++;
    if (this.#accept('b')) return { kind: 'assertion', assertion: 'word-edge' };
    if (this.#accept('B')) return { kind: 'assertion', assertion: 'no-word-edge' };
    const escaped = this.#escaped();
    return typeof escaped === 'number' ? this.#literal(escaped) : set(escaped);
  }

  /** What a backslash, already read, makes of the characters after it. */
  #escaped(): number | CharSet {
    const hex = /^x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,4})\})/.exec(this.#source.slice(this.#at, this.#at + 7));
    if (hex !== null) {
      this.#at += hex[0].length;
      return parseInt(hex[1] ?? hex[2] ?? '', 16);
    }
    const char = this.#source.charAt(this.#at++);
    if (char === '') throw new RegexSyntaxError('a backslash at the end');
    if (!/[A-Za-z0-9]/.test(char)) return char.charCodeAt(0);
    const meant = classEscapes.get(char) ?? controlEscapes.get(char);
    if (meant !== undefined) return meant;
    throw new RegexSyntaxError(/[1-9]/.test(char) ? `the back reference \\${char}` : `the escape \\${char}`);
  }

  #literal(unit: number): RegexNode {
    const one: CharSet = [[unit, unit]];
    return { kind: 'set', set: this.#flags.has('i') ? withBothCases(one) : one, literal: String.fromCharCode(unit) };
  }

  #ahead(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #accept(text: string): boolean {
    if (!this.#ahead(text)) return false;
    this.#at += text.length;
    return true;
  }
}

function set(members: CharSet): RegexNode {
  return { kind: 'set', set: members, literal: undefined };
}
