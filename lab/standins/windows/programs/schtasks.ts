import { splitLine } from '../machine/command-line.ts';
import type { Program } from '../machine/machine.ts';

const denied = 'ERROR: Access is denied.';
const unknown = 'ERROR: The system cannot find the file specified.';

/** schtasks.exe for tasks that run once: /create, /run, /query, /delete. */
export const schtasks: Program = async (process, machine) => {
  const words = splitLine(process.commandLine);
  const has = (option: string): boolean => words.some((word) => word.toLowerCase() === option);
  const valueOf = (option: string): string | undefined => {
    const at = words.findIndex((word) => word.toLowerCase() === option);
    return at === -1 ? undefined : words[at + 1];
  };
  const fail = async (text: string): Promise<1> => {
    await process.err(`${text}\r\n`);
    return 1;
  };
  const done = async (text: string): Promise<0> => {
    await process.out(`SUCCESS: ${text}\r\n`);
    return 0;
  };
  const name = valueOf('/tn');
  if (has('/query')) {
    const tasks = machine.tasks.all.filter((task) => name === undefined || task === machine.tasks.find(name));
    if (name !== undefined && tasks.length === 0) return fail(unknown);
    const rows = tasks.map((task) => {
      const state = task.process === undefined ? 'Ready' : 'Running';
      return `${task.name.padEnd(40)} ${'N/A'.padEnd(22)} ${state.padEnd(15)}`;
    });
    const head = `${'TaskName'.padEnd(40)} ${'Next Run Time'.padEnd(22)} ${'Status'.padEnd(15)}`;
    const rule = [40, 22, 15].map((width) => '='.repeat(width)).join(' ');
    await process.out(['', 'Folder: \\', head, rule, ...rows, ''].join('\r\n'));
    return 0;
  }
  if (name === undefined) return fail("ERROR: Invalid syntax. Mandatory option 'tn' is missing.");
  const task = machine.tasks.find(name);
  if (has('/create')) {
    const [command, schedule, at, user] = [valueOf('/tr'), valueOf('/sc'), valueOf('/st'), valueOf('/ru')];
    if (command === undefined) return fail("ERROR: Invalid syntax. Mandatory option 'tr' is missing.");
    if (schedule?.toLowerCase() !== 'once') return fail(`The stand-in does not know: schtasks /sc ${schedule ?? ''}`);
    if (user !== undefined && user.replace(/^.*\\/, '').toUpperCase() !== process.logon.user.toUpperCase())
      return fail(denied);
    if (task !== undefined && !has('/f'))
      return fail(`ERROR: The task name "${name}" already exists; use /f to replace it.`);
    const atMs = timeOf(at);
    if (atMs === undefined) return fail("ERROR: Invalid syntax. Mandatory option 'st' is missing.");
    const { logon } = process;
    machine.tasks.create(
      { name, commandLine: command, logon, cwd: 'C:\\Windows\\System32' },
      atMs > Date.now() ? atMs : undefined,
    );
    return done(`The scheduled task "${name}" has successfully been created.`);
  }
  if (task === undefined) return fail(unknown);
  if (has('/run')) {
    return machine.tasks.run(name) ? done(`Attempted to run the scheduled task "${name}".`) : fail(unknown);
  }
  if (has('/end')) {
    machine.tasks.stop(name);
    return done(`The scheduled task "${name}" has been terminated successfully.`);
  }
  if (!has('/delete')) return fail(`The stand-in does not know: ${words.slice(1).join(' ')}`);
  machine.tasks.remove(name);
  return done(`The scheduled task "${name}" was successfully deleted.`);
};

/** `HH:MM` today, in UTC, which is the stand-in's time zone. */
function timeOf(text: string | undefined): number | undefined {
  const match = /^(\d\d):(\d\d)$/.exec(text ?? '');
  if (match === null) return undefined;
  return new Date().setUTCHours(Number(match[1]), Number(match[2]), 0, 0);
}
