import type { LogSourceRef } from './attack.ts';
import type { ReceiptLine } from './execution.ts';
import type { FieldProblem } from './facts.ts';
import type { ContextField } from './scenario.ts';
import type { EventHit } from './siem.ts';

/**
 * Context that a log source cannot carry by its nature is not asked of it: a syslog line has a host and text, nothing else
 * that is a field. Sources that are not named here are asked for everything that the scenario wants.
 */
const carries: Readonly<Record<LogSourceRef, readonly ContextField[]>> = {
  'linux:syslog//var/log/syslog': ['host'],
  'esxi:auth//var/log/auth.log': ['command-line', 'user', 'host'],
  'esxi:shell//var/log/shell.log': ['command-line', 'user', 'host'],
  'esxi:vobd//var/log/vobd.log': ['user', 'host'],
  'esxi:hostd//var/log/hostd.log': ['host'],
};

/** Sources that hold lines as they were given to a shell, and not processes as they were started. */
const typed: ReadonlySet<LogSourceRef> = new Set(['esxi:auth//var/log/auth.log', 'esxi:shell//var/log/shell.log']);

export function askedOf(source: LogSourceRef, wanted: readonly ContextField[]): readonly ContextField[] {
  const carried = carries[source];
  return carried === undefined ? wanted : wanted.filter((field) => carried.includes(field));
}

/**
 * Compares what the SIEM holds with the receipt, field by field. `hosts`: the names under which this SIEM knows the host.
 * A field that the receipt cannot tell (a parent whose name the platform hides) only has to be filled in.
 */
export function compareContext(
  hit: EventHit,
  receipt: ReceiptLine,
  wanted: readonly ContextField[],
  hosts: readonly string[],
): { readonly agreed: readonly ContextField[]; readonly problems: readonly FieldProblem[] } {
  const agreed: ContextField[] = [];
  const problems: FieldProblem[] = [];
  for (const field of wanted) {
    const siem = hit.fields[field] ?? '';
    const truth = toldBy(receipt, field, hosts);
    if (siem.trim() === '') problems.push({ field, problem: 'missing', receipt: truth.join(' or '), siem });
    else if (truth.length > 0 && !truth.some((value) => agrees(field, value, siem, hit, receipt)))
      problems.push({ field, problem: 'contradicts', receipt: truth.join(' or '), siem });
    else agreed.push(field);
  }
  return { agreed, problems };
}

/** What the receipt says of a field: any of these is right; none = the receipt cannot tell. */
export function toldBy(receipt: ReceiptLine, field: ContextField, hosts: readonly string[]): readonly string[] {
  switch (field) {
    case 'process':
      return [receipt.executable];
    case 'command-line':
      return [receipt.argv.join(' ')];
    case 'parent':
      return receipt.parentExecutable !== undefined
        ? [receipt.parentExecutable]
        : receipt.parentName !== undefined
          ? [receipt.parentName]
          : [];
    case 'user':
      return [receipt.user];
    case 'host':
      return hosts;
    case 'script':
      return receipt.script === undefined ? [] : [receipt.script];
    case 'cwd':
      return [receipt.cwd];
    case 'destination':
      return receipt.destinations ?? [];
  }
}

function agrees(field: ContextField, truth: string, siem: string, hit: EventHit, receipt: ReceiptLine): boolean {
  switch (field) {
    case 'process':
    case 'cwd':
      return path(siem) === path(truth);
    case 'destination':
      return siem === truth;
    case 'user':
      return withoutDomain(siem) === withoutDomain(truth);
    case 'host':
      return siem.toLowerCase() === truth.toLowerCase();
    case 'command-line':
      return sameLine(words(siem), words(truth), receipt, typed.has(hit.source));
    case 'parent':
      // A short name is cut at 15 characters (/proc/PID/comm); a full path is compared whole.
      return /[/\\]/.test(truth) ? path(siem) === path(truth) : baseName(siem).slice(0, 15) === truth;
    case 'script':
      return absolute(siem, hit.fields.cwd) === absolute(truth, undefined);
  }
}

/** A log of what was typed or sent holds the line as the shell was given it: with what came before the program, and its name as typed. */
function sameLine(siem: string, truth: string, { argv, partialArgv }: ReceiptLine, isTyped: boolean): boolean {
  const [program = ''] = argv;
  const args = words(argv.slice(1).join(' '));
  // Without arguments only the program's name can agree: every line holds and ends with the empty text.
  if (isTyped) return args === '' ? siem.toLowerCase().includes(stem(program)) : siem.includes(args);
  if (partialArgv === true) {
    const rest = words(argv.slice(2).join(' '));
    return rest === '' ? stem(siem.split(' ')[0] ?? '') === stem(program) : siem.endsWith(rest);
  }
  if (siem === truth) return true;
  // Windows programs are told the name as it was typed, which need not be the whole path.
  return (
    isWindowsPath(program) && siem.endsWith(args) && stem(siem.slice(0, siem.length - args.length)) === stem(program)
  );
}

/** A program's name as nobody need type it whole: without folder, `.exe`, version and case. */
function stem(program: string): string {
  return baseName(program.trim())
    .toLowerCase()
    .replace(/\.exe$/, '')
    .replace(/[\d.]+$/, '');
}

/** Windows knows no case in paths, and either slash. */
function path(text: string): string {
  return isWindowsPath(text) ? text.replaceAll('/', '\\').toLowerCase() : text;
}

function isWindowsPath(text: string): boolean {
  return /^[A-Za-z]:[\\/]/.test(text);
}

/** `DOMAIN\\name` and `name@domain` are the account `name`. */
function withoutDomain(user: string): string {
  return user.replace(/^.*\\/, '').replace(/@.*$/, '').toLowerCase();
}

function words(text: string): string {
  return text.replace(/["']/g, '').replace(/\s+/g, ' ').trim();
}

/** The last part of a path of either kind. */
export function baseName(text: string): string {
  return text.slice(Math.max(text.lastIndexOf('/'), text.lastIndexOf('\\')) + 1);
}

function absolute(text: string, cwd: string | undefined): string {
  const whole = text.startsWith('/') || isWindowsPath(text) || cwd === undefined ? text : `${cwd}/${text}`;
  const parts: string[] = [];
  for (const part of path(whole).split(isWindowsPath(whole) ? '\\' : '/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
