import type { CleanupStep } from '../domain/execution.ts';
import type { Command } from '../ports.ts';

/**
 * What the harness itself does on a POSIX host, as small sh scripts that take their data on standard input, so that no
 * path and no marker of an execution stands in a command line of the harness.
 */
const utf8 = new TextEncoder();

function script(text: string, lines: readonly string[]): Command {
  for (const line of lines) if (/[\n\r\0]/.test(line)) throw new RangeError('a line break in harness data');
  return {
    argv: ['/bin/sh', '-c', text],
    channel: 'exec',
    stdin: utf8.encode(lines.map((line) => `${line}\n`).join('')),
  };
}

/** Home, clock, interpreter, and which of the given folders exist. */
export function probe(interpreter: string, folders: readonly string[]): Command {
  return script(
    `echo "home $HOME"; echo "clock $(date +%s.%N)"; IFS= read -r i; [ -x "$i" ] && echo "interpreter $i"
while IFS= read -r f; do case $f in '~/'*) f=$HOME/\${f#'~/'};; esac; [ -e "$f" ] || echo "absent $f"; done`,
    [interpreter, ...folders],
  );
}

/** Fails, touching nothing more, as soon as something that is to be created exists already. */
export function prepare(
  folders: {
    readonly fresh: readonly string[];
    readonly parents: readonly string[];
    readonly inner: readonly string[];
  },
  copies: readonly { readonly kind: 'copy' | 'link'; readonly from: string; readonly to: string }[],
): Command {
  return script(
    `while IFS= read -r op && IFS= read -r a; do case $op in
new) [ -e "$a" ] || [ -L "$a" ] && { echo "exists $a"; exit 17; };;
parent) mkdir -p -- "$a" || exit 18;;
make) mkdir -m 700 -- "$a" || exit 18;;
inner) mkdir -p -m 700 -- "$a" || exit 18;;
from) f=$a;;
copy) cp -L -- "$f" "$a" && chmod 700 -- "$a" || exit 18;;
link) ln -s -- "$f" "$a" || exit 18;;
esac; done </dev/stdin`,
    [
      ...folders.fresh.flatMap((path) => ['new', path]),
      ...folders.parents.flatMap((path) => ['parent', path]),
      ...folders.fresh.flatMap((path) => ['make', path]),
      ...folders.inner.flatMap((path) => ['inner', path]),
      ...copies.flatMap(({ kind, from, to }) => ['from', from, kind, to]),
    ],
  );
}

/** When the next full minute but `margin` seconds begins on the host, in the words of its crontab; and as seconds since the epoch. */
export function cronTime(): Command {
  return script(
    `n=$(date +%s); a=$((n - n % 60 + 60)); [ $((a - n)) -lt 8 ] && a=$((a + 60))
date -d "@$a" '+%M %H %d %m %Y%m%d%H%M' 2>/dev/null || date -r "$a" '+%M %H %d %m %Y%m%d%H%M'; echo "$a"`,
    [],
  );
}

/** Adds one line to the account's crontab, all else as it was. */
export function addCrontabLine(line: string): Command {
  return script(`IFS= read -r l; { crontab -l 2>/dev/null; printf '%s\\n' "$l"; } | crontab -`, [line]);
}

/** Carries out clean-up steps and says of each whether it is done; what is left is said with the shell's own words. */
export function cleanUp(steps: readonly CleanupStep[]): Command {
  return script(
    `n='
'
while IFS= read -r op && IFS= read -r a; do case $op in
end-processes)
 t=0; while p=$(printf '%s\\n' "$a" | grep -lasF -f - /proc/[0-9]*/cmdline 2>/dev/null); [ -n "$p" ] && [ $t -lt 5 ]; do
  for f in $p; do f=\${f#/proc/}; kill -KILL "\${f%/cmdline}" 2>/dev/null; done; t=$((t + 1)); [ $t -lt 2 ] || sleep 0.2; done
 if [ -z "$p" ]; then echo "done $op"; else echo "left $op $a: still running: $p"; fi;;
remove) e=$(rm -rf -- "$a" 2>&1 </dev/null); if [ -e "$a" ] || [ -L "$a" ]; then echo "left $op $a: $(printf %s "$e" | tr '\\n' ' ')"; else echo "done $op $a"; fi;;
remove-if-empty) rmdir -- "$a" 2>/dev/null; echo "done $op $a";;
remove-crontab-line)
 t=$(crontab -l 2>/dev/null; echo .); t=\${t%.}
 case $n$t$n in *"$n$a$n"*)
  k=$(printf %s "$t" | while IFS= read -r x || [ -n "$x" ]; do [ "$x" = "$a" ] || printf '%s\\n' "$x"; done; echo .)
  if [ "$k" = . ]; then crontab -r; else printf %s "\${k%.}" | crontab -; fi; t=$(crontab -l 2>/dev/null);; esac
 case $n$t$n in *"$n$a$n"*) echo "left $op $a: it is still in the crontab";; *) echo "done $op";; esac;;
esac; done`,
    steps.flatMap((step) => [step.kind, argument(step)]),
  );
}

/** What a clean-up step is about, in one line. */
export function argument(step: CleanupStep): string {
  switch (step.kind) {
    case 'end-processes':
      return step.marker;
    case 'remove':
    case 'remove-if-empty':
      return step.path;
    case 'remove-crontab-line':
      return step.line;
  }
}

/** What a person does about a step that could not be carried out. */
export function byHand(step: CleanupStep): { readonly what: string; readonly hint: string } {
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
  }
}
