import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { zipSync, zlibSync } from 'fflate';
import { labControl } from '../lab/control.ts';
import { ownersMark, ownerTemplates, renderOwnerPages } from '../reports/owners/page.ts';
import { renderSummary } from '../reports/terminal.ts';
import type { App } from './cli/app.ts';
import { readExecutable } from './store/executable.ts';
import { machineChecks } from './store/machine.ts';
import { duration, instant } from './domain/time.ts';
import { discoverAdapters, discoverReports } from './plugins.ts';
import type { Clock, Random, Transport } from './ports.ts';
import { Redactor } from './store/redact.ts';
import { runsIn } from './store/runs.ts';
import { writeFiles } from './store/run-folder.ts';
import { SecretVariables } from './store/secret-variables.ts';
import { SecretReader } from './store/secrets.ts';
import { retry } from './wrap/retry.ts';
import { throttle } from './wrap/throttle.ts';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

const clock: Clock = {
  now: () => instant(Date.now()),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, { signal });
  },
};

const letters = 'abcdefghijklmnopqrstuvwxyz';
const random: Random = {
  name: (length) =>
    Array.from({ length }, (_, index) => {
      const alphabet = index === 0 ? letters : `${letters}0123456789`;
      return alphabet[randomInt(alphabet.length)] ?? 'a';
    }).join(''),
};

/** The composition root: the only place of the product that sees everything. */
export async function compose(): Promise<App> {
  const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };
  const redactor = new Redactor();
  const variables = new SecretVariables(process.env, redactor);
  const plugins = await discoverAdapters(join(project, 'adapters'));
  return {
    version,
    operator: `${userInfo().username}@${hostname()}`,
    clock,
    random,
    payloads: (library) => ({
      read: (name) => readFileSync(join(library, 'payloads', basename(name)), 'utf8'),
      // A fixed date: the same payload gives the same archive.
      zip: (entries) => zipSync(entries, { level: 0, mtime: '2020-01-01T00:00:00' }),
      deflate: (bytes) => zlibSync(bytes, { level: 9 }),
      executable: readExecutable,
    }),
    plugins,
    reports: await discoverReports(join(project, 'reports')),
    summary: (run) => {
      const color = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
      return renderSummary(run, { color, width: Math.min(process.stdout.columns || 100, 120) });
    },
    ownerPages: (pages) =>
      renderOwnerPages(
        pages,
        new Map(ownerTemplates.map((name) => [name, readFileSync(join(project, 'reports', name), 'utf8')])),
      ),
    writeFiles: (folder, files) => writeFiles(resolve(folder), files, ownersMark),
    library: join(project, 'scenarios'),
    runs: (out) => runsIn(resolve(out), { clock, redactor }),
    pluginDeps: (inventory, folder, keep) => {
      variables.takeAll(inventory);
      return {
        clock,
        keep,
        secrets: new SecretReader(folder, redactor, variables),
        resolve: (path) => resolve(folder, path),
      };
    },
    transports: (deps) => {
      const opened = new Map<string, Transport>();
      return ({ transport: { kind } }) => {
        const known = opened.get(kind) ?? found(plugins.transports, kind).open(deps);
        opened.set(kind, known);
        return known;
      };
    },
    siems: (inventory, deps) =>
      new Map(
        inventory.siems.map(({ id, kind, settings }) => [
          id,
          retry(throttle(found(plugins.siems, kind).open(settings, deps), { clock, everyMs: 200 }), {
            clock,
            attempts: 3,
            maxWaitMs: duration(30_000),
          }),
        ]),
      ),
    redact: (text) => redactor.text(text),
    lab: labControl,
    machine: machineChecks,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
  };
}

/** The loader has checked every kind that an inventory names. */
function found<T>(plugins: ReadonlyMap<string, T>, kind: string): T {
  const plugin = plugins.get(kind);
  if (plugin === undefined) throw new Error(`no plug-in of kind ${kind}`);
  return plugin;
}
