import { type Command, type CommandOutcome, TransportFailure } from '../../runner/ports.ts';

/** What `sudo -n` says instead of running the command, in any language: every line is its own. */
const sudoLine = /^(?:sudo: .*|.* is not in the sudoers file.*|Sorry, user .* (?:is not allowed|may not).*)$/;

/** The same command with an administrator's rights; `-n` never asks for a password, which would wait for ever. */
export function throughSudo(command: Command): Command {
  return { ...command, argv: ['sudo', '-n', '--', ...command.argv] };
}

/** Throws {@link TransportFailure} `not-started` when sudo refused, or is not there, so that the command did not run. */
export function checkSudo({ exit, stdout, stderr }: CommandOutcome, host: string, channel: Command['channel']): void {
  if (exit.kind !== 'code' || exit.code === 0) return;
  // A terminal has one output, and errors are in it.
  const said = Buffer.from(channel === 'shell' ? stdout : stderr)
    .toString('utf8')
    .trim();
  if (channel !== 'shell' && stdout.length > 0) return;
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const missing = exit.code === 127 && /sudo/.test(said);
  if (!missing && (exit.code !== 1 || lines.length === 0 || !lines.every((line) => sudoLine.test(line)))) return;
  throw new TransportFailure(
    'not-started',
    `${host} did not run it with an administrator's rights: ${JSON.stringify(said.slice(0, 300))}. ${
      missing
        ? 'There is no sudo there: use an account that has these rights itself'
        : 'Give the account a sudoers rule with NOPASSWD for this command, or use an account that has these rights itself; no password is ever given to sudo'
    }`,
  );
}
