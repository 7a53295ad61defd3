import type { App, Check } from './app.ts';
import { folderOf, type LibraryOptions, loadMaterial } from './material.ts';
import { columns, say, sayJson } from './print.ts';

/** `doctor`: can this machine do its part? Looks only; touches no target. Exit code 3 when something is missing. */
export async function doctor(
  app: App,
  options: LibraryOptions & { readonly out: string; readonly json?: boolean },
): Promise<number> {
  const checks: Check[] = [...(await app.machine(options.out))];
  try {
    const { scenarios, inventory } = await loadMaterial(app, options);
    checks.push({
      what: 'inventory and scenarios',
      ok: true,
      detail: `${inventory.targets.length} targets, ${inventory.siems.length} SIEMs, ${scenarios.length} scenarios`,
    });
    const folder = app.pluginDeps(folderOf(options.inventory), () =>
      Promise.reject(new Error('doctor keeps no evidence')),
    );
    for (const [id, adapter] of app.siems(inventory, { ...folder, keep: () => Promise.resolve(noEvidence) })) {
      const said = await adapter.ping(AbortSignal.timeout(10_000)).then(
        ({ serverTime }) => ({
          ok: true,
          detail: serverTime === undefined ? 'answers' : `answers; its clock says ${serverTime}`,
        }),
        (error: unknown) => ({ ok: false, detail: error instanceof Error ? error.message : String(error) }),
      );
      checks.push({ what: `SIEM ${id}`, ...said });
    }
  } catch (error) {
    checks.push({
      what: 'inventory and scenarios',
      ok: false,
      detail: `see: detproof lint --inventory ${options.inventory} (${error instanceof Error ? error.name : 'error'})`,
    });
  }
  if (options.json === true) sayJson(app, checks);
  else
    for (const line of columns(checks.map(({ what, ok, detail }) => [ok ? 'ok' : 'NO', what, detail]))) say(app, line);
  return checks.every(({ ok }) => ok) ? 0 : 3;
}

const noEvidence = { sha256: '0'.repeat(64), bytes: 0, mediaType: 'application/octet-stream' };
