/**
 * True where an account sees its own processes only: with `hidepid` on Linux (proc(5)). Of ESXi it is not documented that others than
 * root see all worlds, so it is not relied on.
 */
const hidesProcesses = `{ if [ -d /proc/self ]; then [ ! -r /proc/1/comm ]; else [ "$(uname)" = VMkernel ] && [ "$USER" != root ]; fi; }`;

/** A name or path a line; BusyBox on ESXi has no options for ps but -c, which has the name of a world in its third column. */
const processNames = `{ ps -A -o comm= 2>/dev/null || { for p in /proc/[0-9]*; do cat "$p/comm" 2>/dev/null; done; ps -c 2>/dev/null | while read -r w c n r; do echo "$n"; done; }; }`;

/** The processes that run, a name or path a line; nothing where that could not be all of them. */
export const processesScript = `${hidesProcesses} || ${processNames}`;

/**
 * Looks at a POSIX host with its own tools: who am I, may I use sudo, which Python interpreters are here (with version and owning
 * package), which processes run, and whether it is all of them. Interpreters are asked for their version only; Apple's stub
 * at /usr/bin/python3 is never called without the developer tools, since it would open a dialog on somebody's screen.
 */
export const inspectScript = `say() { printf '%s\\n' "$1"; }
say "user $(id -un 2>/dev/null || echo "$USER")"
if u=$(id -u 2>/dev/null) && [ "$u" = 0 ] || [ -z "$u$USER" ] || [ "$u$USER" = root ]; then say 'admin yes'
elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 </dev/null; then say 'admin yes'; else say 'admin no'; fi
owner() { { dpkg-query -S "$1" 2>/dev/null || rpm -qf "$1" 2>/dev/null || pkgutil --file-info "$1" 2>/dev/null | sed -n 's/^pkgid: //p'; } | head -n 1 | cut -d : -f 1; }
tab=$(printf '\\t'); seen=:
look() { case $seen in *:"$1":*) return;; esac; seen=$seen$1:
 [ -f "$1" ] && [ -x "$1" ] || return 0
 r=$(readlink -f "$1" 2>/dev/null || echo "$1")
 if [ "$1" = /usr/bin/python3 ] && [ "$(uname)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then say "stub $1$tab$r"; return; fi
 v=$("$1" -V 2>&1 </dev/null) || return 0
 o=$(owner "$r"); [ -n "$o" ] || o=$(owner "$1")
 say "python $1$tab$r$tab$v$tab$o"; }
IFS=:; set -f; set -- $PATH; set +f; unset IFS
for d in "$@" /bin /usr/bin /usr/local/bin /opt/*/bin /opt/homebrew/bin /usr/local/opt/*/bin "$HOME"/.local/bin "$HOME"/.pyenv/versions/*/bin \\
 /Library/Frameworks/Python.framework/Versions/*/bin /Library/Developer/CommandLineTools/usr/bin; do
 for f in "$d"/python "$d"/python[0-9] "$d"/python[0-9].[0-9] "$d"/python[0-9].[0-9][0-9] "$d"/pypy "$d"/pypy[0-9]; do
  case $f in /*) look "$f";; esac; done; done
${hidesProcesses} && say 'others hidden'
${processNames} | while IFS= read -r p; do say "process \${p##*/}"; done`;
