import { type CleanupStep, cleanupSubject } from '../domain/execution.ts';
import { windowsCommandLine } from '../domain/windows-quote.ts';
import type { Command } from '../ports.ts';
import type { Dialect, Scheduler } from './dialect.ts';
import {
  cleanUpText,
  encodedCommand,
  inspectText,
  prepareText,
  probeText,
  processesText,
  scheduleText,
} from './windows-shell.ts';

const utf8 = new TextEncoder();

function script(text: string, lines: readonly string[]): Command {
  for (const line of lines) if (/[\n\r\0]/.test(line)) throw new RangeError('a line break in harness data');
  return {
    argv: encodedCommand(text),
    channel: 'exec',
    stdin: utf8.encode(lines.map((line) => `${line}\n`).join('')),
  };
}

const task: Scheduler = {
  waitMs: 15_000,
  schedule: ({ argv: [program, ...rest], cwd, stdin }, { name, folder }) => {
    if (stdin !== undefined) throw new RangeError('a scheduled task has no standard input of ours');
    const args = windowsCommandLine(rest);
    return {
      undo: { kind: 'remove-task', name },
      files: [],
      add: script(scheduleText, [name, program, args, cwd ?? '', folder]),
      shown: `scheduled task ${name} without a trigger, started once: ${windowsCommandLine([program, ...rest])}`,
    };
  },
};

function byHand(step: CleanupStep): { readonly what: string; readonly hint: string } {
  switch (step.kind) {
    case 'end-processes':
      return {
        what: `processes whose command line holds ${step.marker}`,
        hint: `end them: Get-CimInstance Win32_Process | where CommandLine -like '*${step.marker}*', then Stop-Process -Force -Id each`,
      };
    case 'remove':
      return { what: step.path, hint: `remove it: Remove-Item -Recurse -Force -LiteralPath '${step.path}'` };
    case 'remove-if-empty':
      return { what: step.path, hint: `remove it if it is empty: Remove-Item -LiteralPath '${step.path}'` };
    case 'remove-task':
      return {
        what: `scheduled task ${step.name}`,
        hint: `remove it: Unregister-ScheduledTask -TaskName ${step.name} (it has no trigger and does not start again)`,
      };
    case 'remove-crontab-line':
      return { what: `crontab line: ${step.line}`, hint: 'there is no crontab on Windows' };
    case 'remove-launchd-job':
      return { what: `launchd job ${step.label}`, hint: 'there is no launchd on Windows' };
  }
}

/** PowerShell on Windows. */
export const windowsDialect: Dialect = {
  separator: '\\',
  programSuffix: '.exe',
  probe: (interpreter, folders) => script(probeText, [interpreter, ...folders]),
  prepare: ({ fresh, parents, inner }, copies) =>
    script(prepareText, [
      ...fresh.flatMap((path) => ['new', path]),
      ...parents.flatMap((path) => ['parent', path]),
      ...fresh.flatMap((path) => ['make', path]),
      ...inner.flatMap((path) => ['inner', path]),
      ...copies.flatMap(({ kind, from, to }) => ['from', from, kind, to]),
    ]),
  cleanUp: (steps) =>
    script(
      cleanUpText,
      steps.flatMap((step) => [step.kind, cleanupSubject(step)]),
    ),
  byHand,
  schedulers: { task },
  processes: () => script(processesText, []),
  inspect: () => script(inspectText, []),
};
