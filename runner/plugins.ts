import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReportPlugin, Reporter, SiemPlugin, TransportPlugin } from './ports.ts';
import type { Plugins } from './load/plugin-settings.ts';

/** Plug-ins are found by listing their folder: each `NAME.ts`, and each folder that holds an `index.ts`. */
async function discover<T extends { readonly kind: string }>(folder: string): Promise<ReadonlyMap<string, T>> {
  const found = new Map<string, T>();
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => a.name.localeCompare(b.name))) {
    const path = entry.isDirectory() ? join(folder, entry.name, 'index.ts') : join(folder, entry.name);
    if (!path.endsWith('.ts') || (await stat(path).catch(() => undefined)) === undefined) continue;
    const module = (await import(pathToFileURL(path).href)) as { readonly default?: T };
    const plugin = module.default;
    if (plugin?.kind === undefined) throw new Error(`${path} exports no plug-in by default`);
    if (found.has(plugin.kind)) throw new Error(`${path}: there is a ${plugin.kind} already`);
    found.set(plugin.kind, plugin);
  }
  return found;
}

export async function discoverAdapters(folder: string): Promise<Plugins> {
  return {
    transports: await discover<TransportPlugin>(join(folder, 'transports')),
    siems: await discover<SiemPlugin>(join(folder, 'siems')),
  };
}

export async function discoverReports(
  folder: string,
): Promise<ReadonlyMap<string, { readonly plugin: ReportPlugin; readonly reporter: Reporter }>> {
  const opened = new Map<string, { plugin: ReportPlugin; reporter: Reporter }>();
  for (const [kind, plugin] of await discover<ReportPlugin>(folder)) {
    const templates = new Map<string, string>();
    for (const name of plugin.templates) templates.set(name, await readFile(join(folder, name), 'utf8'));
    opened.set(kind, { plugin, reporter: plugin.open(templates) });
  }
  return opened;
}
