import { baseName } from '../domain/context.ts';
import type { Reason } from '../domain/fact.ts';
import type { Facts, FieldProblem } from '../domain/facts.ts';

export type Delivery =
  | { readonly is: 'yes' }
  | { readonly is: 'absent' }
  | { readonly is: 'silent'; readonly sources: readonly string[] }
  | { readonly is: 'unknown'; readonly why: Reason };

/** Several sources as one: an event of any of them is delivery; absence needs an answer about each, and no silent source. */
export function delivery(facts: Facts): Delivery {
  if (facts.sources.some(({ delivered }) => delivered.is === 'yes')) return { is: 'yes' };
  for (const { source, delivered } of facts.sources) {
    if (delivered.is === 'unknown')
      return { is: 'unknown', why: { ...delivered.why, detail: `${source}: ${delivered.why.detail}` } };
    if (delivered.is === 'not-asked')
      return { is: 'unknown', why: { class: 'broken-off', detail: `${source}: ${delivered.because}` } };
  }
  const silent = facts.sources.filter(
    ({ delivered }) => delivered.is === 'no' && delivered.proof.kind === 'source-silent',
  );
  return silent.length === 0 ? { is: 'absent' } : { is: 'silent', sources: silent.map(({ source }) => source) };
}

export type Usability =
  | { readonly is: 'yes' }
  | { readonly is: 'no'; readonly problems: string; readonly ofAnotherProcess: boolean }
  | { readonly is: 'unknown'; readonly why: Reason };

/** Of the sources that delivered, the best one counts; thin is only what no source that could not be told of may better. */
export function usability(facts: Facts): Usability {
  const delivered = facts.sources.filter((source) => source.delivered.is === 'yes').map(({ usable }) => usable);
  if (delivered.some(({ is }) => is === 'yes')) return { is: 'yes' };
  const answers = facts.sources.flatMap((source) => [source.usable, source.delivered]);
  const unclear = answers.find(({ is }) => is === 'unknown');
  if (unclear?.is === 'unknown') return { is: 'unknown', why: unclear.why };
  const problems = delivered.flatMap((usable) => (usable.is === 'no' ? usable.proof.problems : []));
  if (problems.length === 0)
    return { is: 'unknown', why: { class: 'not-started', detail: 'its event was not compared with the receipt' } };
  return {
    is: 'no',
    problems: problems.map(problemText).join(', '),
    ofAnotherProcess: problems.some(
      ({ field, problem, receipt, siem }) =>
        field === 'process' && problem === 'contradicts' && baseName(receipt) !== baseName(siem),
    ),
  };
}

function problemText({ field, problem, receipt, siem }: FieldProblem): string {
  return problem === 'missing'
    ? `${field} is empty${receipt === '' ? '' : ` (the receipt says ${shorten(receipt)})`}`
    : `${field} is ${shorten(siem)} where the receipt says ${shorten(receipt)}`;
}

/** For a sentence. */
function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}
