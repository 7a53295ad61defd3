import { posixQuote } from '../../runner/domain/posix-quote.ts';
import { type Command, TransportFailure } from '../../runner/ports.ts';

/**
 * One argument as a word of a POSIX shell's line. Throws {@link TransportFailure} `not-started` for what no argument can
 * hold: NUL, and half a surrogate pair, which has no UTF-8 form.
 */
function word(text: string): string {
  if (text.includes('\0') || !text.isWellFormed())
    throw new TransportFailure(
      'not-started',
      `${JSON.stringify(text)} cannot be an argument: it holds ${text.includes('\0') ? 'a NUL' : 'half of a surrogate pair'}`,
    );
  return posixQuote(text);
}

/** The words of a command, quoted; the first also where the bare word could be an alias, a keyword or an assignment. */
export function posixWords(argv: Command['argv']): string {
  const [name, ...args] = argv;
  if (name === '' || name.startsWith('-'))
    throw new TransportFailure('not-started', `${JSON.stringify(name)} cannot be the name of a command`);
  const quoted = word(name);
  const bare = quoted === name && name.includes('/') && !name.includes('=');
  return [bare || quoted !== name ? quoted : `'${name}'`, ...args.map(word)].join(' ');
}

/** `cd` to a folder, taking it literally: `-` and CDPATH have no say over a path that starts with `/` or `./`. */
export function posixCd(folder: string): string {
  return `cd -- ${word(folder.startsWith('/') ? folder : `./${folder}`)}`;
}

/**
 * The line that runs a command without a terminal. The shell says its process id and then becomes the command, so that
 * parent, process and session are those of a plain `ssh HOST COMMAND`, and the id is known should the command have to be
 * ended (a server may refuse signals, and closing the channel ends nothing). No id: the command was not started. `token` is
 * random, so that nothing that start-up files print is taken for the id.
 */
export function execLine(command: Command, token: string): string {
  const start = `echo ${token}-$$ && exec ${posixWords(command.argv)}`;
  return command.cwd === undefined ? start : `${posixCd(command.cwd)} && ${start}`;
}
