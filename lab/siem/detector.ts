import type { SigmaRule } from '../sigma/rule.ts';
import { alertOf } from './alert.ts';
import type { Alert } from './alert.ts';
import type { EcsEvent } from './ecs-event.ts';
import type { Faults } from './fault-settings.ts';
import type { RuleSet } from './rule-set.ts';

/**
 * What the SIEM says about one rule and one span of ingest time: every event taken in from `from` up to, not including,
 * `to` was looked at by the rule and its alerts are in the store (`ok`), or why not.
 */
export type RuleRun = {
  /** When it was said, by the SIEM's clock. */
  readonly '@timestamp': string;
  readonly rule: { readonly id: string; readonly uuid?: string; readonly name: string };
  readonly enabled: boolean;
  readonly from: string;
  readonly to: string;
  readonly ok: boolean;
  readonly error?: string;
};

/** Runs the rules on events as they come in. Times are milliseconds by the SIEM's clock. */
export class Detector {
  #rules: RuleSet;
  #faults: Faults = {};
  /** Up to where each rule's runs have been told. */
  readonly #toldUntil = new Map<string, number>();
  #waiting: { readonly rule: SigmaRule; readonly event: EcsEvent; readonly takenMs: number; readonly dueMs: number }[] =
    [];

  constructor(rules: RuleSet, nowMs: number) {
    this.#rules = rules;
    this.change(rules, {}, nowMs, true);
  }

  /**
   * Changes rules and faults from now on; what was before must have been told with {@link runs}.
   * @param anew the clock was set, so nothing is told of the time between the last word and now.
   */
  change(rules: RuleSet, faults: Faults, nowMs: number, anew: boolean): void {
    this.#rules = rules;
    this.#faults = faults;
    if (anew) this.#toldUntil.clear();
    for (const { id } of rules.rules) if (!this.#toldUntil.has(id)) this.#toldUntil.set(id, nowMs);
  }

  /** The alerts of this event that are raised at once; others are waiting for their time. */
  look(event: EcsEvent, nowMs: number): readonly Alert[] {
    if (this.#faults.detectorDown === true) return [];
    return this.#rules.matcher
      .match(event)
      .filter(({ rule }) => this.#state(rule.file).ok)
      .flatMap(({ rule }) => {
        const delayMs = this.#delayOf(rule.file);
        if (delayMs === 0) return [alertOf(rule, event, nowMs)];
        this.#waiting.push({ rule, event, takenMs: nowMs, dueMs: nowMs + delayMs });
        return [];
      });
  }

  /** The alerts whose time has come. */
  due(nowMs: number): readonly Alert[] {
    if (this.#waiting.every(({ dueMs }) => dueMs > nowMs)) return [];
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    return due.map(({ rule, event }) => alertOf(rule, event, nowMs));
  }

  /** What every rule did since it was last told. A detector that is down says nothing. */
  runs(nowMs: number, storeTrouble: string | undefined): readonly RuleRun[] {
    if (this.#faults.detectorDown === true) {
      for (const { id } of this.#rules.rules) this.#toldUntil.set(id, nowMs);
      return [];
    }
    return this.#rules.rules.flatMap(({ id, uuid, name }) => {
      const from = this.#toldUntil.get(id) ?? nowMs;
      const to = this.#lookedUntil(id, nowMs);
      if (to <= from) return [];
      this.#toldUntil.set(id, to);
      const { enabled, error } = this.#state(id);
      const failure = error ?? (enabled ? storeTrouble : undefined);
      return [
        {
          '@timestamp': new Date(nowMs).toISOString(),
          rule: { id, ...(uuid !== undefined && { uuid }), name },
          enabled,
          from: new Date(from).toISOString(),
          to: new Date(to).toISOString(),
          ok: enabled && failure === undefined,
          ...(failure !== undefined && { error: failure }),
        },
      ];
    });
  }

  #state(id: string): { readonly enabled: boolean; readonly ok: boolean; readonly error?: string } {
    if (this.#faults.rulesOff?.includes(id) === true) return { enabled: false, ok: false };
    const problem = this.#rules.rules.find((rule) => rule.id === id)?.problem;
    const error = this.#faults.rulesFailing?.includes(id) === true ? 'the run failed (fault rulesFailing)' : problem;
    return error === undefined ? { enabled: true, ok: true } : { enabled: true, ok: false, error };
  }

  #delayOf(id: string): number {
    return this.#faults.alertDelayMs?.[id] ?? 0;
  }

  /** A rule that runs late has not looked at what came since; nor at what its waiting alerts are about. */
  #lookedUntil(id: string, nowMs: number): number {
    const waiting = this.#waiting.filter(({ rule }) => rule.file === id).map(({ takenMs }) => takenMs);
    return Math.min(nowMs - this.#delayOf(id), ...waiting);
  }
}
