/** A process as /proc or ps shows it. `started` tells a process from a later one with the same id; empty where unknown. */
export type ProcessRow = {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  readonly started: string;
};

/**
 * Shell commands that print the process table: /proc/PID/stat of every process (proc(5)) where there is a /proc, otherwise
 * five columns of ps (POSIX knows no session id there, so the process group stands in for it).
 */
export const tableCommand =
  'if cd /proc/self/..; then cat [0-9]*/stat; else ps -A -o pid= -o ppid= -o pgid= -o stat=; fi 2>/dev/null';

// A process names itself with up to 15 bytes of its choice, so a name can fake neither 49 numbers nor a whole line.
const statEntry = /^(\d+) \([\s\S]{0,64}?\) ([A-Za-z]) (-?\d+) (-?\d+) (-?\d+)((?: -?\d+){40,})$/gm;
const psEntry = /^ *(\d+) +(\d+) +(\d+) +([A-Za-z])\S*$/gm;

/** Reads what {@link tableCommand} printed. Zombies are left out: they run nothing, and only their parent can remove them. */
export function parseProcessTable(text: string): readonly ProcessRow[] {
  const fromStat = [...text.matchAll(statEntry)].map(([, pid, state, ppid, pgid, sid, rest = '']) => ({
    row: {
      pid: Number(pid),
      ppid: Number(ppid),
      pgid: Number(pgid),
      sid: Number(sid),
      started: rest.split(' ')[16] ?? '',
    },
    state,
  }));
  const fromPs = [...text.matchAll(psEntry)].map(([, pid, ppid, pgid, state]) => ({
    row: { pid: Number(pid), ppid: Number(ppid), pgid: Number(pgid), sid: Number(pgid), started: '' },
    state,
  }));
  return [...fromStat, ...fromPs].filter(({ state }) => state !== 'Z' && state !== 'X').map(({ row }) => row);
}

/**
 * The processes of a command: its root, the descendants, and whoever shares a session or process group with one of these
 * (a descendant's parent may have died since, and then only its session tells whose it is). `known` are those that were
 * seen earlier. `parent` is the parent that the root must have: if another process holds the root's id, the root is gone.
 */
export function processTree(
  table: readonly ProcessRow[],
  root: { readonly pid: number; readonly parent: number },
  known: readonly ProcessRow[] = [],
): readonly ProcessRow[] {
  const holders = new Map(table.map((row) => [row.pid, row]));
  const parent = holders.get(root.parent);
  const seen = (row: ProcessRow): boolean => known.some((earlier) => same(earlier, row));
  /** Sessions and groups are inherited or made new, so those of a member are the command's, unless the parent is in them too. */
  const ids = new Set<number>();
  const claim = (id: number): void => {
    if (id !== parent?.pgid && id !== parent?.sid) ids.add(id);
  };
  const holder = holders.get(root.pid);
  const rootIsThere = holder !== undefined && (holder.ppid === root.parent || seen(holder));
  if (holder === undefined || rootIsThere) claim(root.pid);
  for (const id of known.flatMap(({ pgid, sid }) => [pgid, sid])) {
    const leader = holders.get(id);
    // An id outlives its leader while it has members; a new process under the id shows that it had none left.
    if (leader === undefined || seen(leader)) claim(id);
  }
  const members = new Map<number, ProcessRow>();
  for (let before = -1; members.size > before;) {
    before = members.size;
    for (const row of table) {
      const isRoot = row === holder && rootIsThere;
      if (
        !members.has(row.pid) &&
        (isRoot || seen(row) || ids.has(row.pgid) || ids.has(row.sid) || members.has(row.ppid))
      ) {
        members.set(row.pid, row);
        claim(row.pgid);
        claim(row.sid);
      }
    }
  }
  return [...members.values()];
}

function same(a: ProcessRow, b: ProcessRow): boolean {
  return a.pid === b.pid && a.started === b.started;
}
