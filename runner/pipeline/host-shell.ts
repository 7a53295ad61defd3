import { type CleanupStep, cleanupSubject } from '../domain/execution.ts';
import type { Command } from '../ports.ts';
import type { Copy, Folders } from './dialect.ts';
import { inspectScript, processesScript } from './posix-inspect.ts';

/**
 * What the harness itself does on a POSIX host, as small sh scripts that take their data on standard input and compare it in
 * the shell itself: no command line of the harness holds a marker, or the SIEM would show the harness as the execution.
 */
const utf8 = new TextEncoder();

/** `echo` would read a backslash in a path as more than itself. */
const say = `say() { printf '%s\\n' "$1"; }`;

function script(text: string, lines: readonly string[]): Command {
  for (const line of lines) if (/[\n\r\0]/.test(line)) throw new RangeError('a line break in harness data');
  return {
    argv: ['/bin/sh', '-c', text],
    channel: 'exec',
    stdin: utf8.encode(lines.map((line) => `${line}\n`).join('')),
  };
}

/** Home, clock, interpreter, and which of the given folders exist. A home that is the root itself, as on ESXi, gives way to /tmp. */
export function probe(interpreter: string, folders: readonly string[]): Command {
  return script(
    `${say}; h=\${HOME%/}; [ -n "$h" ] || h=/tmp; say "home $h"; say "clock $(date +%s.%N)"; IFS= read -r i; [ -x "$i" ] && say "interpreter $i"
while IFS= read -r f; do case $f in '~/'*) f=$h/\${f#'~/'};; esac; [ -e "$f" ] || say "absent $f"; done`,
    [interpreter, ...folders],
  );
}

/**
 * Fails, touching nothing more, as soon as something that is to be created exists already; says which folders it made. A parent that
 * the clean-up of another execution took away, empty as it was, is made again.
 */
export function prepare(folders: Folders, copies: readonly Copy[]): Command {
  return script(
    `${say}; new() { if [ -e "$1" ] || [ -L "$1" ]; then say "exists $1"; exit 17; fi; }
u=; while IFS= read -r op && IFS= read -r a; do case $op in
new) new "$a";;
parent) mkdir -p -- "$a" || exit 18; u="$u$a
";;
make) t=0; until mkdir -m 700 -- "$a"; do
  new "$a"; [ -n "$u" ] && [ $t -lt 5 ] || exit 18; t=$((t + 1))
  printf %s "$u" | while IFS= read -r q; do mkdir -p -- "$q"; done; done; say "made $a";;
inner) mkdir -p -m 700 -- "$a" || exit 18;;
from) f=$a;;
copy) cp -L -- "$f" "$a" && chmod 700 -- "$a" || exit 18;;
link) ln -s -- "$f" "$a" || exit 18;;
esac; done`,
    [
      ...folders.fresh.flatMap((path) => ['new', path]),
      ...folders.parents.flatMap((path) => ['parent', path]),
      ...folders.fresh.flatMap((path) => ['make', path]),
      ...folders.inner.flatMap((path) => ['inner', path]),
      ...copies.flatMap(({ kind, from, to }) => ['from', from, kind, to]),
    ],
  );
}

/** The next full minute on the host that is at least 8 s away, in the words of its crontab; and as seconds since the epoch. */
export function cronTime(): Command {
  return script(
    `n=$(date +%s); a=$((n - n % 60 + 60)); [ $((a - n)) -lt 8 ] && a=$((a + 60))
date -d "@$a" '+%M %H %d %m %Y%m%d%H%M' 2>/dev/null || date -r "$a" '+%M %H %d %m %Y%m%d%H%M'; echo "$a"`,
    [],
  );
}

/**
 * `table` reads the account's whole crontab into `$c`, with a full stop behind it so that no line break at its end is lost. It
 * fails, with the reason in `$e`, when that cannot be read: what is not known to be all of it must not replace it. Not having a
 * crontab is an empty one.
 */
const table = `table() { if c=$(crontab -l 2>/dev/null && echo .); then return 0; fi
 c=.; e=$(crontab -l 2>&1 >/dev/null); case $e in *[Nn]'o crontab'*|*'No such file'*) return 0;; *) return 1;; esac; }`;

/**
 * Adds one line to the account's crontab, all else as it was; nothing when the line did not come whole, for its sender died. Where the
 * run folder is gone by then, somebody has cleaned up already, and the line is taken out again.
 */
export function addCrontabLine(line: string, folder: string): Command {
  return script(
    `${table}
IFS= read -r l && IFS= read -r f || exit 19
table || { printf 'the crontab cannot be read: %s\\n' "$e" >&2; exit 19; }
printf '%s%s\\n' "\${c%.}" "$l" | crontab - || exit
[ -d "$f" ] || { if [ "$c" = . ]; then crontab -r; else printf %s "\${c%.}" | crontab -; fi; printf '%s is gone\\n' "$f" >&2; exit 19; }`,
    [line, folder],
  );
}

/**
 * Process ids of what bears `$1` in its command line; GNU grep reads past a NUL byte, BusyBox's does not. ESXi has no /proc: its
 * `ps -c` lists worlds, with the cartel (what `kill` takes) in the second column.
 */
const bearing = `bearing() { if [ ! -r /proc/self/cmdline ]; then
  { ps -A -ww -o pid= -o args= 2>/dev/null || ps -c | while read -r r q r; do say "$q $r"; done; } | while read -r q r; do case $r in *"$1"*) say "$q";; esac; done
 elif printf 'a\\0b\\n' | grep -aqF b; then
  printf '%s\\n' "$1" | grep -lasF -f - /proc/[0-9]*/cmdline 2>/dev/null | while IFS=/ read -r r q q r; do say "$q"; done
 else for q in /proc/[0-9]*; do r=$(tr '\\0' '\\n' 2>/dev/null <"$q/cmdline"); case $r in *"$1"*) say "\${q#/proc/}";; esac; done
 fi 2>/dev/null; }`;

/** Carries out clean-up steps and says of each whether it is done; what is left is said with the shell's own words. */
export function cleanUp(steps: readonly CleanupStep[]): Command {
  return script(
    `${say}; ${table}; ${bearing}
has() { printf %s "\${c%.}" | while IFS= read -r x; do [ "$x" = "$1" ] && exit 3; done; [ $? -eq 3 ]; }
without() { printf %s "\${c%.}" | while IFS= read -r x; do [ "$x" = "$1" ] || printf '%s\\n' "$x"; done; }
while IFS= read -r op && IFS= read -r a; do case $op in
end-processes)
 if [ ! -r /proc/self/cmdline ] && ! ps -A -ww -o pid= -o args= >/dev/null 2>&1 && ! ps -c >/dev/null 2>&1; then
  say "left $op $a: neither /proc nor ps is here to look for them"; continue; fi
 t=0; while p=$(bearing "$a"); [ -n "$p" ] && [ $t -lt 5 ]; do
  kill -KILL $p 2>/dev/null; t=$((t + 1)); [ $t -lt 2 ] || sleep 0.2; done
 if [ -z "$p" ]; then say "done $op"; else say "left $op $a: still running: $(echo $p)"; fi;;
remove) e=$(rm -rf -- "$a" 2>&1 </dev/null); if [ -e "$a" ] || [ -L "$a" ]; then say "left $op $a: $(printf %s "$e" | tr '\\n' ' ')"; else say "done $op $a"; fi;;
remove-if-empty) rmdir -- "$a" 2>/dev/null; say "done $op $a";;
remove-crontab-line)
 table || { say "left $op $a: the crontab cannot be read: $e"; continue; }
 if has "$a"; then
  k=$(without "$a"; echo .); if [ "$k" = . ]; then crontab -r; else printf %s "\${k%.}" | crontab -; fi
  table || { say "left $op $a: the crontab cannot be read: $e"; continue; }; fi
 if has "$a"; then say "left $op $a: it is still in the crontab"; else say "done $op"; fi;;
remove-launchd-job)
 command -v launchctl >/dev/null || { say "left $op $a: launchctl is not here to ask"; continue; }
 u=user/$(id -u); launchctl bootout "$u/$a" 2>/dev/null; t=0
 while launchctl print "$u/$a" >/dev/null 2>&1 && [ $t -lt 25 ]; do sleep 0.2; t=$((t + 1)); done
 if [ $t -lt 25 ]; then say "done $op"; else say "left $op $a: launchd still lists it"; fi;;
*) say "left $op $a: there is no such thing on this host";;
esac; done`,
    steps.flatMap((step) => [step.kind, cleanupSubject(step)]),
  );
}

/** Starts a launchd job of the account from its property list. */
export function bootstrapJob(plist: string): Command {
  return script(`IFS= read -r p; launchctl bootstrap "user/$(id -u)" "$p"`, [plist]);
}

/** Account, rights, interpreters and processes; see the script. */
export function inspect(): Command {
  return script(inspectScript, []);
}

/** Names of all running processes; see the script. */
export function processNames(): Command {
  return script(processesScript, []);
}
