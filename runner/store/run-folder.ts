import { constants } from 'node:fs';
import {
  access,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OutputFile } from '../ports.ts';

/** Where one run keeps its files. */
export type RunFolder = {
  readonly id: string;
  readonly path: string;
  readonly plan: string;
  readonly journal: string;
  readonly evidence: string;
  readonly runJson: string;
  readonly reports: string;
  /** Written by `stop`; read by the running process. */
  readonly stop: string;
  readonly lock: string;
};

/** Below this much free disk no run is started: evidence that cannot be kept is worth nothing. */
const leastFreeBytes = 64 * 1024 * 1024;

/** The output folder cannot be used; says what to do. Nothing was touched. */
class FolderRefused extends Error {
  override readonly name = 'FolderRefused';
}

/** There is no such run; says which there are. */
export class UnknownRun extends Error {
  override readonly name = 'UnknownRun';
}

/** Which runs there are could not be looked up, which is not the same as that there are none. */
class RunsUnread extends Error {
  override readonly name = 'RunsUnread';
}

export function runFolder(out: string, id: string): RunFolder {
  const path = join(out, 'runs', id);
  return {
    id,
    path,
    plan: join(path, 'plan.json'),
    journal: join(path, 'journal.jsonl'),
    evidence: join(path, 'evidence'),
    runJson: join(path, 'run.json'),
    reports: join(path, 'reports'),
    stop: join(path, 'stop'),
    lock: join(path, 'lock'),
  };
}

/** Makes the folder of a new run, after checking that it can be written and that the disk has room. Throws {@link FolderRefused}. */
export async function createRunFolder(out: string, id: string): Promise<RunFolder> {
  const folder = runFolder(out, id);
  await checkWritable(out);
  try {
    await mkdir(join(out, 'runs'), { recursive: true, mode: 0o700 });
    await mkdir(folder.path, { mode: 0o700 });
    await mkdir(folder.evidence, { mode: 0o700 });
    await mkdir(folder.reports, { mode: 0o700 });
  } catch (error) {
    throw new FolderRefused(
      `${folder.path} cannot be made (${code(error)}). Choose another folder with --out, or make this one writable.`,
    );
  }
  return folder;
}

/** With the folders above it. Node's own recursive mkdir never returns where a file system makes no folders, as /proc. */
async function makeFolder(path: string): Promise<void> {
  if (await stat(path).catch(() => undefined)) {
    await readdir(path);
    return;
  }
  const above = dirname(path);
  if (above !== path) await makeFolder(above);
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (code(error) !== 'EEXIST') throw error;
  });
}

/** Throws {@link FolderRefused} when nothing can be written to `out`, or the disk is nearly full. */
export async function checkWritable(out: string): Promise<void> {
  try {
    await makeFolder(out);
    await access(out, constants.W_OK | constants.X_OK);
    const probe = join(out, `.write-${process.pid}`);
    const file = await open(probe, 'w', 0o600);
    try {
      await file.writeFile(new Uint8Array(4096));
      await file.datasync();
    } finally {
      await file.close();
      await rm(probe, { force: true });
    }
  } catch (error) {
    throw new FolderRefused(
      `${out} cannot be written (${code(error)}). Choose another folder with --out, or make room.`,
    );
  }
  const { bavail, bsize } = await statfs(out);
  if (bavail * bsize < leastFreeBytes)
    throw new FolderRefused(
      `${out} has ${Math.floor((bavail * bsize) / 1_048_576)} MiB free, and a run needs at least ${leastFreeBytes / 1_048_576} MiB for its evidence. Make room, or choose another folder with --out.`,
    );
}

/**
 * Writes files, each whole or not at all, into a folder, which is made when it is not there. Throws {@link FolderRefused}, before
 * anything is written where a file stands in the way whose beginning does not hold `mark`: that one is somebody else's.
 */
export async function writeFiles(folder: string, files: readonly OutputFile[], mark: string): Promise<void> {
  try {
    await makeFolder(folder);
    for (const { path } of files)
      if (!(await isOurs(join(folder, path), mark)))
        throw new FolderRefused(
          `${join(folder, path)} was not written by detproof. Choose another folder, or move it away.`,
        );
    for (const { path, text } of files) {
      const draft = join(folder, `${path}.${process.pid}.new`);
      try {
        await writeFile(draft, text, { flag: 'wx', flush: true });
        await rename(draft, join(folder, path));
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    }
  } catch (error) {
    if (error instanceof FolderRefused) throw error;
    throw new FolderRefused(`${folder} cannot be written (${code(error)}). Choose another folder.`);
  }
}

/** True also where nothing is. A link is nobody's page, and what it leads to might be anything. */
async function isOurs(path: string, mark: string): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (code(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return true;
  return found.isFile() && (await readFile(path, 'utf8')).slice(0, 1024).includes(mark);
}

/** Points `out/latest` at a run. */
export async function setLatest(out: string, id: string): Promise<void> {
  const next = join(out, `.latest-${process.pid}`);
  await rm(next, { force: true });
  await symlink(join('runs', id), next);
  await rename(next, join(out, 'latest'));
}

/** The run that `id` names; without an id the newest. Throws {@link UnknownRun}. */
export async function findRun(out: string, id: string | undefined): Promise<RunFolder> {
  const wanted = id ?? (await readlink(join(out, 'latest')).catch(() => undefined))?.split('/').at(-1);
  const known = await listRuns(out).catch((error: unknown) => {
    throw error instanceof RunsUnread ? new UnknownRun(error.message) : error;
  });
  if (wanted !== undefined && known.includes(wanted)) return runFolder(out, wanted);
  const list = known.length === 0 ? 'there are none yet' : `known: ${known.slice(-5).join(', ')}`;
  throw new UnknownRun(`${wanted === undefined ? 'No run' : `No run ${wanted}`} in ${join(out, 'runs')}; ${list}.`);
}

/** There are none only where `out` is there and holds no `runs`. Throws {@link RunsUnread} for all else that cannot be read. */
export async function listRuns(out: string): Promise<readonly string[]> {
  const runs = join(out, 'runs');
  try {
    return (await readdir(runs)).sort();
  } catch (error) {
    const isThere = code(error) === 'ENOENT' ? await stat(out).catch(() => undefined) : undefined;
    if (isThere?.isDirectory() === true) return [];
    throw new RunsUnread(
      `${runs} cannot be read (${code(error)}), so it is not known which runs there are. Name the folder that runs are kept in with --out, and make it readable.`,
    );
  }
}

/** Holds a run for this process. Throws {@link FolderRefused} while another living process holds it. */
export async function lockRun(folder: RunFolder): Promise<AsyncDisposable> {
  const own = `${process.pid} ${await startTime(process.pid)}\n`;
  // The second attempt is for the lock of a process that died.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(folder.lock, own, { mode: 0o600, flush: true, flag: 'wx' });
      return {
        async [Symbol.asyncDispose]() {
          await rm(folder.lock, { force: true });
        },
      };
    } catch (error) {
      if (code(error) !== 'EEXIST')
        throw new FolderRefused(`${folder.lock} cannot be written (${code(error)}). Make ${folder.path} writable.`);
    }
    const holder = await holderOf(folder);
    if (holder !== undefined)
      throw new FolderRefused(
        `run ${folder.id} is being worked on by process ${holder}; end it with: detproof stop ${folder.id}`,
      );
    await rm(folder.lock, { force: true });
  }
  throw new FolderRefused(`run ${folder.id} is being taken up by another process; try again.`);
}

/** Process id of the living process that holds the run. A process id that was given away again is told by its start time. */
export async function holderOf(folder: RunFolder): Promise<number | undefined> {
  const [pid, started] = (await readFile(folder.lock, 'utf8').catch(() => '')).trim().split(' ');
  if (pid === undefined || pid === '') return undefined;
  const now = await startTime(Number(pid));
  return now !== '' && now === started ? Number(pid) : undefined;
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), unless it is a zombie; where there is no /proc, whether the process lives. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat !== undefined) {
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? '' : (fields[18] ?? '');
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return '';
  }
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
