import type { RunReport } from '../../runner/domain/run-report.ts';

/**
 * Execution id → the fragment that its details have on the page: readable, only `a`–`z`, `0`–`9` and `-`, and unique
 * within the run.
 */
export function anchorsOf(run: RunReport): ReadonlyMap<string, string> {
  const anchors = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of run.executions.map(({ plan }) => plan.id).sort()) {
    if (anchors.has(id)) continue;
    const plain = `x-${id
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 120)}`;
    let anchor = plain;
    for (let count = 2; taken.has(anchor); count += 1) anchor = `${plain}-${count}`;
    taken.add(anchor);
    anchors.set(id, anchor);
  }
  return anchors;
}
