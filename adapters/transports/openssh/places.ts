import { type Destination, sshOptions } from './options.ts';

/**
 * Where ssh would connect to: the address that its configuration makes of the target's, and of each jump host's. Asks ssh itself
 * (`-G`), which connects to nothing; when it does not take its options, connecting fails on them as well.
 */
export async function placesOf(to: Destination): Promise<readonly string[]> {
  const own = await looked(to, to.address);
  const jumps = (own.get('proxyjump') ?? 'none').split(',').filter((jump) => jump !== 'none' && jump !== '');
  const places = [own.get('hostname') ?? to.address];
  for (const jump of jumps) {
    const name = /^(?:.*@)?(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(jump.replace(/^ssh:\/\//, ''));
    const host = name?.[1] ?? name?.[2] ?? jump;
    places.push(host, (await looked(to, host)).get('hostname') ?? host);
  }
  return [...new Set(places)];
}

async function looked(to: Destination, host: string): Promise<ReadonlyMap<string, string>> {
  const { execa } = await import('execa');
  const { stdout } = await execa(to.settings.program, ['-G', ...sshOptions(to, 'none'), '--', host], {
    reject: false,
    stdin: 'ignore',
  });
  return new Map(
    stdout.split('\n').map((line) => {
      const space = line.indexOf(' ');
      return [line.slice(0, space), line.slice(space + 1)] as const;
    }),
  );
}
