import type { App } from './app.ts';
import { type LibraryOptions, loadMaterial } from './material.ts';
import { say, sayJson } from './print.ts';

/** `lint`: loads everything. Problems are thrown, all at once. */
export async function lint(app: App, options: LibraryOptions & { readonly json?: boolean }): Promise<number> {
  const { scenarios, inventory } = await loadMaterial(app, options);
  const counts = { scenarios: scenarios.length, targets: inventory.targets.length, siems: inventory.siems.length };
  if (options.json === true) sayJson(app, { problems: [], ...counts });
  else say(app, `No problems: ${counts.scenarios} scenarios, ${counts.targets} targets, ${counts.siems} SIEMs.`);
  return 0;
}
