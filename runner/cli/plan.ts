import { join } from 'node:path';
import { type Plan, phases } from '../domain/plan.ts';
import { formatDuration } from '../domain/time.ts';
import { fitOf, tightText } from '../pipeline/estimate.ts';
import { ownerPages } from '../pipeline/owner-pages.ts';
import type { App } from './app.ts';
import { newRunId, planFor, refuseEmpty, type RunOptions } from './conduct.ts';
import { loadMaterial, type Material } from './material.ts';
import { columns, say, sayJson, tell } from './print.ts';

/** `plan`: what `run` would do, and what it would leave out and why. Touches no target; writes pages for owners when asked to. */
export async function plan(app: App, options: RunOptions & { readonly owners?: string }): Promise<number> {
  const material = await loadMaterial(app, options);
  const made = planFor(app, material, options, newRunId(app));
  if (options.json === true) sayJson(app, made);
  else for (const line of planLines(made)) say(app, line);
  refuseEmpty(made);
  if (options.owners !== undefined) await writeOwnerPages(app, made, material, options.owners);
  return 0;
}

/** A page for each owner of a planned host, in a folder of their own. Writes over what an earlier plan left there. */
async function writeOwnerPages(app: App, made: Plan, material: Material, folder: string): Promise<void> {
  const { inventory, scenarios, library } = material;
  const payloads = app.payloads(library);
  const pages = ownerPages({ plan: made, inventory, scenarios, payloads, operator: app.operator });
  const files = app.ownerPages(pages).map((file) => ({ ...file, text: app.redact(file.text) }));
  await app.writeFiles(folder, files);
  tell(app, `${pages.length} owner${pages.length === 1 ? '' : 's'}: see ${join(folder, 'index.html')}`);
}

/** More lines than these nobody reads before saying yes. */
const most = 40;

/** The plan for a person who is about to say yes to it. */
export function planLines(made: Plan): readonly string[] {
  const work = made.executions.filter(({ purpose }) => purpose !== 'control');
  const scenarios = [...new Set(work.map(({ scenario }) => scenario))];
  const targets = [...new Set(made.executions.map(({ target, account }) => `${target} as ${account}`))];
  // No list of executions is spread into arguments: a large plan has more of them than a call may have.
  const waits = made.executions.reduce(
    (longest, { expect }) => expect.reduce((most, { observeFor }) => Math.max(most, observeFor), longest),
    0,
  );
  return [
    `Plan under engagement ${made.engagement}: ${scenarios.length} scenario${scenarios.length === 1 ? '' : 's'} on ${targets.length > most ? `${made.targets.length} hosts` : targets.join(', ')}`,
    ...columns(
      phases.map((phase) => [
        `  ${phase}`,
        `${made.executions.filter((one) => one.phase === phase).length} executions`,
      ]),
    ),
    ...sampleLine(made),
    ...hostLines(made),
    `  then up to ${formatDuration(waits)} of asking the SIEM`,
    ...columns(
      scenarios.map((id) => {
        const own = work.filter(({ scenario }) => scenario === id);
        const variants = new Set(own.flatMap(({ variant }) => variant ?? []));
        const first = own[0];
        return [
          `  ${id}`,
          first?.purpose ?? '',
          `${first?.title ?? ''}${variants.size === 0 ? '' : ` (and ${variants.size} variant${variants.size === 1 ? '' : 's'})`}`,
        ];
      }),
    ),
    ...(made.leftOut.length === 0 ? [] : ['Left out:']),
    ...cut(made.leftOut.map(({ what, because }) => `  ${what}: ${because}`)),
  ];
}

function sampleLine({ sample }: Plan): readonly string[] {
  if (sample === undefined) return [];
  const { chosen, inScope, perRoleAndZone, seed, always } = sample;
  const besides = always === undefined ? '' : `, and all of ${always}`;
  return [
    `  a sample: ${chosen.length} of ${inScope.length} hosts in scope, ${perRoleAndZone} of each role in each zone${besides} (--seed ${seed} chooses the same)`,
  ];
}

/** Until when each host may be touched, in which wave it is, and whether its part fits. */
function hostLines(made: Plan): readonly string[] {
  const fits = fitOf(made);
  const waves = Math.max(1, ...fits.map(({ wave }) => wave));
  const lines = fits.flatMap((fit) => {
    const { target, wave, until, needs } = fit;
    const where = waves === 1 ? '' : `wave ${wave} of ${waves}, `;
    return [
      `  ${target} may be touched until ${until}: ${where}needs up to ${formatDuration(needs)}`,
      ...(fit.fits ? [] : [`    may not fit: ${tightText(fit)}`]),
    ];
  });
  const tight = fits.filter(({ fits: isFine }) => !isFine).length;
  const many = `  ${fits.length} hosts in ${waves} wave${waves === 1 ? '' : 's'}, of which ${tight} may not fit into their window:`;
  return fits.length > most ? [many, ...cut(lines)] : lines;
}

/** Of a long list the beginning. */
function cut(lines: readonly string[]): readonly string[] {
  return lines.length <= most
    ? lines
    : [...lines.slice(0, most), `  and ${lines.length - most} more lines: --json has all`];
}
