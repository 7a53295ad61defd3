import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { StandIn } from '../standins/stand-in.ts';
import { userOfIds } from './free.ts';
import { ensurePackages } from './packages.ts';
import { LabRefused } from './refused.ts';
import type { StandInState } from './state.ts';

const FOLDER = path.resolve(import.meta.dirname, '../standins');

/** The stand-ins of the lab, and why some of them are left out, by name. */
export interface FoundStandIns {
  readonly standIns: readonly StandIn[];
  readonly missing: ReadonlyMap<string, string>;
}

/** Every stand-in that a folder of lab/standins brings, by name. */
export async function findStandIns(): Promise<readonly StandIn[]> {
  const found = readdirSync(FOLDER)
    .map((name) => path.join(FOLDER, name, 'index.ts'))
    .filter((file) => existsSync(file))
    .map(async (file) => {
      const { standIns } = (await import(file)) as { readonly standIns?: readonly StandIn[] };
      if (standIns === undefined) throw new Error(`${file} exports no standIns`);
      return standIns;
    });
  return (await Promise.all(found)).flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Installs what the stand-ins need, as far as it can be had, adding to `installed`. Returns why some must be left out. */
export async function missingStandIns(
  standIns: readonly StandIn[],
  installed: string[],
  log: (line: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const missing = new Map<string, string>();
  for (const standIn of standIns) {
    const why = await whatIsMissing(standIn, installed, log);
    if (why === undefined) continue;
    missing.set(standIn.name, why);
    log(`${standIn.name} is left out: ${why}`);
  }
  return missing;
}

/** What the lab's state says of a stand-in before it is started. */
export function stateOfStandIn({ name, platform, ports, accounts }: StandIn, missing?: string): StandInState {
  return {
    ...{ name, platform, ports: [...ports], accounts: accounts.map((account) => account.name), processes: [] },
    started: false,
    ...(missing !== undefined && { missing }),
  };
}

async function whatIsMissing(
  { packages, ids, obstacle }: StandIn,
  installed: string[],
  log: (line: string) => void,
): Promise<string | undefined> {
  try {
    installed.push(...(await ensurePackages(packages, log)));
  } catch (error) {
    if (error instanceof LabRefused) return error.message;
    throw error;
  }
  const user = ids && (await userOfIds(ids));
  if (ids !== undefined && user !== undefined)
    return `it uses the ids ${ids.first} to ${ids.first + ids.count - 1}, and one of them is in use: ${user}`;
  return obstacle?.();
}
