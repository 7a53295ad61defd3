import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { RUNTIME_DIR, runtimeFiles, standInFolders, stateFiles } from './layout.ts';

const processSchema = z.object({ pid: z.int().positive(), startTicks: z.int().nonnegative() });

const settingsSchema = z.object({
  enabled: z.int(),
  failure: z.int(),
  rate_limit: z.int(),
  backlog_limit: z.int(),
  backlog_wait_time: z.int(),
});

const stateSchema = z.object({
  schema: z.literal('detproof/lab/1'),
  /** /proc/sys/kernel/random/boot_id: what was started and changed does not outlive the boot. */
  boot: z.string(),
  since: z.iso.datetime(),
  stateDir: z.string(),
  /** Who brought the lab up. */
  by: processSchema,
  /** Whether the lab is to be taken for abandoned when `by` has ended. */
  tied: z.boolean(),
  /** The kernel's audit settings before the lab touched them. */
  auditBefore: settingsSchema,
  auditd: processSchema.optional(),
  hosts: z.array(
    z.object({
      name: z.enum(['lab-alpha', 'lab-beta']),
      mntNs: z.string().optional(),
      holder: processSchema.optional(),
      sshd: processSchema.optional(),
      cron: processSchema.optional(),
    }),
  ),
  siem: processSchema.optional(),
  /** Those that were started, and those that were left out. A state of an older lab names none. */
  standIns: z
    .array(
      z.object({
        name: z.string(),
        platform: z.string(),
        ports: z.array(z.int()),
        accounts: z.array(z.string()),
        /** What was started, by what it is called in `status`. */
        processes: z.array(z.object({ what: z.string(), ref: processSchema })),
        /** Whether all of it was started. */
        started: z.boolean().default(false),
        /** Why it was left out. */
        missing: z.string().optional(),
      }),
    )
    .default([]),
  installed: z.array(z.string()),
});

/** What the lab started and what it changed. Saved before each act, so that `down` can undo an `up` that was cut short anywhere. */
export type LabState = z.infer<typeof stateSchema>;

/** One lab host in {@link LabState}. */
export type HostState = LabState['hosts'][number];

/** One stand-in in {@link LabState}. */
export type StandInState = LabState['standIns'][number];

/** Saves the state in the caller's state folder and, for other checkouts, in {@link RUNTIME_DIR}. */
export function saveState(state: LabState): void {
  const text = JSON.stringify(state, undefined, 2) + '\n';
  for (const file of [stateFiles(state.stateDir).state, runtimeFiles.state]) {
    mkdirSync(path.dirname(file), { recursive: true, mode: file === runtimeFiles.state ? 0o755 : 0o700 });
    const next = `${file}.next`;
    writeFileSync(next, text, { mode: 0o600, flush: true });
    renameSync(next, file);
  }
}

/** The state of the lab that is up on this machine, whoever brought it up. */
export function readRunningState(): LabState | undefined {
  return read(runtimeFiles.state);
}

/** The state that an `up` with this state folder left, if this boot is still the one it was made in. */
export function readOwnState(stateDir: string): LabState | undefined {
  return read(stateFiles(stateDir).state);
}

/** Removes the state, keys, faults and the secrets of stand-ins from the state folder, and everything in {@link RUNTIME_DIR}. Logs and the SIEM's store stay. */
export function removeState(stateDir: string): void {
  const { state, clientKey, knownHosts, siemFaults } = stateFiles(stateDir);
  for (const file of [state, `${state}.next`, clientKey, `${clientKey}.pub`, knownHosts, siemFaults])
    rmSync(file, { force: true });
  for (const name of standInNames(stateDir))
    rmSync(standInFolders(stateDir, name).secrets, { recursive: true, force: true });
  rmSync(RUNTIME_DIR, { recursive: true, force: true });
}

/** Stand-ins that have a folder of secrets here; told by the folders, so that no state file is needed. */
function standInNames(stateDir: string): readonly string[] {
  if (!existsSync(stateDir)) return [];
  return readdirSync(stateDir).filter((name) => name.startsWith('lab-'));
}

/** Identifies this boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** A state of an earlier boot, or a file that is not one, tells nothing about this boot. */
function read(file: string): LabState | undefined {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  const parsed = stateSchema.safeParse(content);
  return parsed.success && parsed.data.boot === bootId() ? parsed.data : undefined;
}
