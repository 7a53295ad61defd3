import { askedOf, toldBy } from '../../runner/domain/context.ts';
import type { ReceiptLine } from '../../runner/domain/execution.ts';
import type { Facts } from '../../runner/domain/facts.ts';
import type { ContextField } from '../../runner/domain/scenario.ts';

export type ComparisonRow = {
  readonly field: ContextField;
  readonly receipt: string;
  readonly siem: string;
  readonly outcome: 'agrees' | 'missing' | 'contradicts' | 'not compared';
  readonly state: 'yes' | 'no' | 'not-asked';
};

/** What really ran (the receipt) beside what the SIEM holds of it, for each field that the verdict requires. */
export function comparison(
  required: readonly ContextField[],
  receipt: ReceiptLine | undefined,
  { delivered, usable }: Facts['sources'][number],
): readonly ComparisonRow[] {
  if (delivered.is !== 'yes') return [];
  const judged = usable.is === 'no' ? usable.proof.event : usable.is === 'yes' ? usable.evidence[0].event : undefined;
  const hit = (delivered.evidence.find((one) => one.hit.id === judged) ?? delivered.evidence[0]).hit;
  const problems = usable.is === 'no' ? usable.proof.problems : [];
  const agreed = usable.is === 'yes' ? usable.evidence.flatMap((one) => one.agreed) : [];
  const asked = askedOf(hit.source, required);
  return required.map((field) => {
    const problem = problems.find((one) => one.field === field);
    if (problem !== undefined)
      return { field, receipt: problem.receipt, siem: problem.siem, outcome: problem.problem, state: 'no' };
    const compared = (usable.is === 'no' && asked.includes(field)) || agreed.includes(field);
    return {
      field,
      receipt: received(field, receipt),
      siem: hit.fields[field] ?? '',
      outcome: compared ? 'agrees' : 'not compared',
      state: compared ? 'yes' : 'not-asked',
    };
  });
}

function received(field: ContextField, receipt: ReceiptLine | undefined): string {
  return receipt === undefined ? '' : toldBy(receipt, field, [receipt.host]).join(' or ');
}
