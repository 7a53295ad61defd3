import type { CollectedEvent, EcsProcess } from './ecs-event.ts';
import type { Faults } from './fault-settings.ts';

/** ANSI escapes (clear, title, colour), markup that closes a script and an attribute, control and broken characters, right-to-left override. */
export const hostileText =
  '\u001b[2J\u001b]0;owned\u0007\u001b[31m</script><img src=x onerror=alert(1)>"\'><!--\u0000\u0008\r\n\u202e\ufffd\ufffd';

/** Where it is put when the fault does not name fields: nothing is correlated or matched by these. */
const harmlessFields = ['process.working_directory', 'process.title', 'message', 'event.original'];

/** The event as a faulty pipeline delivers it; undefined when it does not. */
export function withFaults(event: CollectedEvent, faults: Faults): CollectedEvent | undefined {
  if (faults.dropHosts?.includes(event.host.name) || faults.dropSources?.includes(event.event.module)) return undefined;
  let faulty = event;
  const offsetMs = faults.clockOffsetMs?.[event.host.name];
  if (offsetMs !== undefined)
    faulty = { ...faulty, '@timestamp': new Date(Date.parse(faulty['@timestamp']) + offsetMs).toISOString() };
  if (faults.truncateCommandLine !== undefined) faulty = truncated(faulty, faults.truncateCommandLine);
  if (faults.dropParent === true) faulty = withParent(faulty, undefined);
  if (faults.wrongParent !== undefined) faulty = withParent(faulty, faults.wrongParent);
  return withHostileText(faulty, faults, harmlessFields);
}

/** A copy with hostile text at the end of the fields that the fault names, or of `harmless` ones when it names none. */
export function withHostileText<T>(value: T, faults: Faults, harmless: readonly string[]): T {
  const fields = faults.hostileFields === true ? harmless : faults.hostileFields;
  if (fields === undefined || fields === false) return value;
  return fields.reduce((copy, field) => withText(copy, field.split('.'), hostileText) as T, value);
}

/** A sensor that cuts command lines cuts the parent's too, and the raw records that would tell more do not come. */
function truncated(event: CollectedEvent, length: number): CollectedEvent {
  const process = event.process;
  if (process?.command_line === undefined) return event;
  const original = event.event.original.split('\n').filter((line) => !/^type=(?:EXECVE|PROCTITLE) /.test(line));
  return {
    ...event,
    event: { ...event.event, original: original.join('\n') },
    process: {
      ...cutCommand(process, length),
      ...(process.title !== undefined && { title: process.title.slice(0, length) }),
      ...(process.parent !== undefined && { parent: cutCommand(process.parent, length) }),
    },
  };
}

type Command = { readonly args?: readonly string[]; readonly command_line?: string };

function cutCommand<T extends Command>(command: T, length: number): T {
  if (command.command_line === undefined) return command;
  const line = command.command_line.slice(0, length);
  const args: string[] = [];
  let left = length;
  for (const argument of command.args ?? []) {
    if (left <= 0) break;
    args.push(argument.slice(0, left));
    left -= argument.length + 1;
  }
  return { ...command, args, command_line: line };
}

function withParent(event: CollectedEvent, executable: string | undefined): CollectedEvent {
  if (event.process === undefined) return event;
  const { parent, ...process } = event.process;
  const wrong: EcsProcess =
    executable === undefined || parent === undefined
      ? process
      : {
          ...process,
          parent: {
            ...parent,
            executable,
            name: executable.split('/').at(-1) ?? '',
            args: [executable],
            command_line: executable,
          },
        };
  return { ...event, process: wrong };
}

/** A copy of nested objects in which the text at this path, if there is one, has something added. */
function withText(value: unknown, path: readonly string[], added: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === 'string' ? value + added : value;
  if (typeof value !== 'object' || value === null || !(key in value)) return value;
  return { ...value, [key]: withText((value as Record<string, unknown>)[key], rest, added) };
}
