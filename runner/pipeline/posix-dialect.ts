import { posixQuote } from '../domain/posix-quote.ts';
import type { CleanupStep } from '../domain/execution.ts';
import { cronEntry, cronWaitMs } from './cron-entry.ts';
import type { Dialect, Scheduler } from './dialect.ts';
import {
  addCrontabLine,
  bootstrapJob,
  cleanUp,
  cronTime,
  inspect,
  prepare,
  probe,
  processNames,
} from './host-shell.ts';

const cron: Scheduler = {
  ask: cronTime,
  sampleAnswer: '00 00 01 01 203001010000\n1893456000',
  waitMs: cronWaitMs,
  schedule: (ready, { folder, told, offsetMs }) => {
    const entry = cronEntry(told, ready, offsetMs);
    if (entry === undefined) return undefined;
    const { line, fireAt } = entry;
    return {
      undo: { kind: 'remove-crontab-line', line },
      files: [],
      add: addCrontabLine(line, folder),
      shown: line,
      fireAt,
    };
  },
};

const launchd: Scheduler = {
  waitMs: 10_000,
  schedule: ({ argv, cwd, stdin }, { folder, name }) => {
    if (stdin !== undefined) throw new RangeError('a launchd job has no standard input of ours');
    const label = `local.${name}`;
    const plist = `${folder}/${label}.plist`;
    return {
      undo: { kind: 'remove-launchd-job', label },
      files: [{ path: plist, bytes: new TextEncoder().encode(jobList(label, argv, cwd)), mode: 0o600 }],
      add: bootstrapJob(plist),
      shown: `launchctl bootstrap user/UID ${plist}, which starts ${argv.map(posixQuote).join(' ')}`,
    };
  },
};

/** A property list that starts a program once and never again (launchd.plist(5)): neither KeepAlive nor a schedule. */
function jobList(label: string, argv: readonly string[], cwd: string | undefined): string {
  const text = (value: string): string =>
    `<string>${value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</string>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key>${text(label)}
<key>ProgramArguments</key><array>${argv.map(text).join('')}</array>
${cwd === undefined ? '' : `<key>WorkingDirectory</key>${text(cwd)}\n`}<key>RunAtLoad</key><true/>
</dict></plist>
`;
}

function byHand(step: CleanupStep): { readonly what: string; readonly hint: string } {
  switch (step.kind) {
    case 'end-processes':
      return {
        what: `processes whose command line holds ${step.marker}`,
        hint: `end them: pgrep -f ${step.marker}, then kill -KILL what it lists`,
      };
    case 'remove':
      return { what: step.path, hint: `remove it: rm -rf -- ${step.path}` };
    case 'remove-if-empty':
      return { what: step.path, hint: `remove it if it is empty: rmdir -- ${step.path}` };
    case 'remove-crontab-line':
      return {
        what: `crontab line: ${step.line}`,
        hint: 'take the line out with crontab -e (its date guard keeps it from firing again)',
      };
    case 'remove-launchd-job':
      return { what: `launchd job ${step.label}`, hint: `remove it: launchctl bootout user/$(id -u)/${step.label}` };
    case 'remove-task':
      return { what: `scheduled task ${step.name}`, hint: 'there are none on a host of this kind' };
  }
}

/** sh on Linux, macOS and ESXi. */
export const posixDialect: Dialect = {
  separator: '/',
  programSuffix: '',
  probe,
  prepare,
  cleanUp,
  byHand,
  schedulers: { cron, launchd },
  processes: processNames,
  inspect,
};
