import type { Execution } from '../domain/execution.ts';
import { notAsked, unknown } from '../domain/fact.ts';
import type { Facts } from '../domain/facts.ts';
import { nonEmpty } from '../domain/non-empty.ts';
import { alertedFact, alertsReadFact, attributedFact, gradedAlerts } from './alerting.ts';
import { createdFact, deliveredFact, usableFact } from './delivery.ts';
import { inTimeFact } from './latency.ts';
import { type EstablishInput, firesOnHarness, lookupOf, type Scope } from './scope.ts';

/** What the answers of one SIEM amount to. */
export type Established = {
  /** By id of the execution, of those that expect something of this SIEM. */
  readonly facts: ReadonlyMap<string, Facts>;
  /** Rules whose alerts are tied to a control: they fire on the harness itself. Sorted. */
  readonly harnessRules: readonly string[];
};

/** Answers, controls, rule health and times → the facts of every execution that expects something of this SIEM. Pure. */
export function establish(input: EstablishInput): Established {
  const lookup = lookupOf(input);
  const facts = new Map<string, Facts>();
  for (const { plan, execution } of input.executed) {
    const expect = plan.expect.find(({ siem }) => siem === input.observation.siem);
    if (expect !== undefined) facts.set(plan.id, factsOf({ plan, execution, expect, lookup }));
  }
  return { facts, harnessRules: [...new Set([...lookup.harness.values()].flatMap((rules) => [...rules]))].sort() };
}

function factsOf(scope: Scope): Facts {
  const { execution, expect } = scope;
  const alerts = gradedAlerts(scope);
  const sources = nonEmpty(
    expect.sources.map((source) => {
      const delivered = deliveredFact(source, scope);
      return { source, delivered, usable: usableFact(source, delivered, scope) };
    }),
  );
  if (sources === undefined) throw new Error(`${scope.plan.id} expects an event of no log source`);
  const created = createdFact(scope);
  const alerted = alertedFact(alerts, scope);
  const attributed = attributedFact(alerts, alerted, scope);
  return {
    ran: ranFact(execution),
    prevented:
      execution.outcome.kind === 'prevented'
        ? { is: 'yes', evidence: [{ sign: execution.outcome.blockSign, evidence: execution.outcome.evidence }] }
        : notAsked('no sign of a block was seen'),
    recorded: notAsked("the host's own log is not read"),
    sources,
    ...(created === undefined ? {} : { created }),
    alerted,
    attributed,
    inTime: inTimeFact(alerts, attributed, scope),
    alerts: alerts.map(({ alert, rule, grade, latencyMs, raw, name, hit: { techniques } }) => ({
      alert,
      rule,
      grade,
      latencyMs,
      raw,
      name,
      techniques,
    })),
    alertsRead: alertsReadFact(scope),
    byHarness: [...new Set(alerts.map(({ rule }) => rule))].filter((rule) => firesOnHarness(rule, scope)).sort(),
  };
}

function ranFact({ outcome, receipt }: Execution): Facts['ran'] {
  switch (outcome.kind) {
    case 'finished':
      return receipt.finished === undefined || receipt.evidence === undefined
        ? unknown('broken-off', 'no finished receipt')
        : { is: 'yes', evidence: [{ receipt: receipt.evidence }] };
    case 'not-run':
      return { is: 'no', proof: { answer: outcome.why.detail } };
    case 'prevented':
      return notAsked('it was stopped by a control');
    case 'broken-off':
      return { is: 'unknown', why: outcome.why };
  }
}
