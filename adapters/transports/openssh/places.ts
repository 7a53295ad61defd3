import { parseDuration } from '../../../runner/domain/time.ts';
import { TransportFailure } from '../../../runner/ports.ts';
import { deadline } from '../../shared/deadline.ts';
import { configOptions, type Destination, sshOptions } from './options.ts';
import { SshProcess } from './ssh-process.ts';

/** How many hosts a ProxyJump may lead over, its jump hosts' own included. */
const longestChain = 8;

export type Places = {
  /** Names as they are written and the addresses that the configuration makes of them: of the target and of each jump host. */
  readonly places: readonly string[];
  /** The one that this machine connects to; jump hosts look up the others. */
  readonly first: string;
  /** The host that a command connects to (ProxyCommand): over which others is not known. */
  readonly byCommand?: string;
};

/**
 * Where ssh would connect to. Asks ssh itself (`-G`), which connects to nothing; when it does not take its options, connecting
 * fails on them as well. Throws {@link TransportFailure}.
 */
export async function placesOf(to: Destination, signal: AbortSignal): Promise<Places> {
  const own = await looked(to, [...sshOptions(to, 'none'), '--', to.address], signal);
  let first = own.get('hostname') ?? to.address;
  const places = new Set([first]);
  let byCommand = commandOf(own) ? to.address : undefined;
  let ahead = jumpsOf(own);
  // ssh reaches each jump host by a call of its own that has the config and nothing else of these options; the first of them by
  // that host's own ProxyJump or ProxyCommand.
  for (let count = ahead.length; ahead.length > 0; count += ahead.length) {
    if (count > longestChain)
      throw new TransportFailure(
        'not-started',
        `${to.address}: ProxyJump leads over more than ${longestChain} hosts, or in a circle`,
      );
    let further: readonly Jump[] = [];
    for (const [index, { host, user, port }] of ahead.entries()) {
      const asked = [...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port])];
      const found = await looked(to, [...configOptions(to), ...asked, '--', host], signal);
      const address = found.get('hostname') ?? host;
      places.add(host).add(address);
      if (index > 0) continue;
      first = address;
      further = jumpsOf(found);
      if (commandOf(found)) byCommand = host;
    }
    ahead = further;
  }
  return { places: [...places], first, ...(byCommand === undefined ? {} : { byCommand }) };
}

type Options = ReadonlyMap<string, string>;
type Jump = { readonly host: string; readonly user?: string | undefined; readonly port?: string | undefined };

function commandOf(options: Options): boolean {
  return (options.get('proxycommand') ?? 'none') !== 'none';
}

function jumpsOf(options: Options): readonly Jump[] {
  const jumps = (options.get('proxyjump') ?? 'none').split(',').filter((jump) => jump !== 'none' && jump !== '');
  return jumps.map((jump) => {
    const parts = /^(?:(.*)@)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(jump.replace(/^ssh:\/\//, ''));
    return { host: parts?.[2] ?? parts?.[3] ?? jump, user: parts?.[1], port: parts?.[4] };
  });
}

/** What ssh makes of its options; what they name may be run (Match exec), and may hang. */
async function looked(to: Destination, args: readonly string[], signal: AbortSignal): Promise<Options> {
  const { program, connectTimeout } = to.settings;
  const ssh = await SshProcess.start(program, ['-G', ...args]);
  let text = '';
  ssh.stdin.end();
  ssh.stderr.resume();
  ssh.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  try {
    using due = deadline(parseDuration(connectTimeout) ?? 0, signal);
    if ((await Promise.race([ssh.ended, due.reached])) === 'reached')
      throw signal.aborted
        ? new TransportFailure('aborted', `stopped before connecting to ${to.address}`)
        : new TransportFailure(
            'not-started',
            `${to.address}: ssh -G did not say within ${connectTimeout} where it would connect to. Does its config run something that hangs (Match exec)?`,
          );
  } finally {
    await ssh.end();
  }
  return new Map(
    text.split('\n').map((line) => {
      const space = line.indexOf(' ');
      return [line.slice(0, space), line.slice(space + 1)] as const;
    }),
  );
}
