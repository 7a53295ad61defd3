import { readFile } from 'node:fs/promises';
import type { Reporter, ReportPlugin } from '../../runner/ports.ts';

const folder = new URL('../../reports/', import.meta.url);

function templateText(name: string): Promise<string> {
  return readFile(new URL(name, folder), 'utf8');
}

/** A report as the composition root opens it: with the text of the templates beside it. */
export async function openReport(plugin: ReportPlugin): Promise<Reporter> {
  const texts = await Promise.all(plugin.templates.map(async (name) => [name, await templateText(name)] as const));
  return plugin.open(new Map(texts));
}
