import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EvidenceRef } from '../domain/evidence.ts';
import type { Clock, KeptRun, OpenRun, RunStore } from '../ports.ts';
import { EvidenceFolder } from './evidence.ts';
import { JournalFile, readJournal, setTornAside } from './journal.ts';
import type { Redactor } from './redact.ts';
import {
  checkWritable,
  createRunFolder,
  findRun,
  holderOf,
  listRuns,
  lockRun,
  type RunFolder,
  setLatest,
  UnknownRun,
} from './run-folder.ts';

/** Evidence up to this size is shown in reports; of more, the beginning. */
const excerptBytes = 8 * 1024;

/** Runs as folders below `out/runs`. */
export function runsIn(out: string, { clock, redactor }: { clock: Clock; redactor: Redactor }): RunStore {
  const held = async (folder: RunFolder, mode: 'new' | 'append'): Promise<OpenRun> => {
    if (mode === 'append') refuseWithoutJournal(folder);
    const lock = await lockRun(folder);
    try {
      await rm(folder.stop, { force: true });
      const setAside = mode === 'append' ? await setTornAside(folder.journal) : undefined;
      const journal = await JournalFile.open(folder.journal, {
        clock,
        redact: (text) => redactor.text(text),
        mode,
      });
      const evidence = new EvidenceFolder(folder.evidence, redactor);
      return {
        id: folder.id,
        path: folder.path,
        journal,
        evidence,
        setAside,
        async keepPlan(plan) {
          if (exists(folder.plan)) throw new Error(`${folder.plan} is there already; a plan is written once`);
          const text = `${JSON.stringify(plan, null, 2)}\n`;
          await replace(folder.plan, text);
          await setLatest(out, folder.id);
          return sha256(Buffer.from(text));
        },
        async keepReport(report, files) {
          await replace(folder.runJson, `${JSON.stringify(report, null, 1)}\n`);
          for (const file of files) await replace(join(folder.reports, file.path), file.text);
          await setLatest(out, folder.id);
        },
        stopAsked: () => Promise.resolve(exists(folder.stop)),
        read: () => kept(folder, redactor),
        async [Symbol.asyncDispose]() {
          await journal[Symbol.asyncDispose]();
          await lock[Symbol.asyncDispose]();
        },
      };
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  };
  return {
    create: async (id) => held(await createRunFolder(out, id), 'new'),
    async open(id) {
      const folder = await findRun(out, id);
      await checkWritable(out);
      return held(folder, 'append');
    },
    read: async (id) => kept(await findRun(out, id), redactor),
    list: () => listRuns(out),
    async askToStop(id) {
      const folder = await findRun(out, id);
      const holder = await holderOf(folder);
      if (holder !== undefined) await writeFile(folder.stop, '', { mode: 0o600 });
      return { id: folder.id, holder };
    },
  };
}

async function kept(folder: RunFolder, redactor: Redactor): Promise<KeptRun> {
  refuseWithoutJournal(folder);
  const plan = await readFile(folder.plan).catch(() => undefined);
  const { records, head } = await readJournal(folder.journal);
  return {
    id: folder.id,
    path: folder.path,
    planSha256: plan === undefined ? '' : sha256(plan),
    hasReport: exists(folder.runJson),
    records,
    head,
    evidence: new EvidenceFolder(folder.evidence, redactor),
    excerpt: (ref) => excerpt(folder, ref),
  };
}

/** A run that died before its first record; there is nothing of it to look at or to go on with. */
function refuseWithoutJournal(folder: RunFolder): void {
  if (!exists(folder.journal))
    throw new UnknownRun(`${folder.path} holds no journal.jsonl: this run ended before anything was touched.`);
}

/** What was changed since it was kept is not shown as what was kept. */
function excerpt(folder: RunFolder, ref: EvidenceRef): { text: string; cut: boolean } | undefined {
  const path = join(folder.evidence, ref.sha256);
  if (!/^[0-9a-f]{64}$/.test(ref.sha256) || !exists(path)) return undefined;
  const bytes = readFileSync(path);
  if (sha256(bytes) !== ref.sha256)
    return { text: `This evidence was changed: its bytes no longer hash to ${ref.sha256}.`, cut: false };
  return { text: new TextDecoder().decode(bytes.subarray(0, excerptBytes)), cut: bytes.byteLength > excerptBytes };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Whole or not at all, also when the machine stops in between. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.part`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
