import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type {
  AlertAnswer,
  AlertHit,
  AlertQuestion,
  Answer,
  EventHit,
  Question,
  RuleHealth,
  RuleQuestion,
  UntiedAlert,
} from '../../runner/domain/siem.ts';
import type { Instant } from '../../runner/domain/time.ts';
import { type SiemAdapter, SiemFailure } from '../../runner/ports.ts';

const exchange: EvidenceRef = { sha256: 'a'.repeat(64), bytes: 2, mediaType: 'application/json' };

/** The whole answer of a SIEM that has these hits. */
export function whole<H>(hits: readonly H[]): Answer<H> {
  return { hits, complete: { yes: true }, exchanges: [exchange] };
}

export function cut<H>(hits: readonly H[]): Answer<H> {
  return {
    hits,
    complete: { yes: false, because: { class: 'cut-short', detail: 'one of two shards' } },
    exchanges: [exchange],
  };
}

export function unreachable(): SiemFailure {
  return new SiemFailure('unreachable', 'connection refused', { exchanges: [exchange] });
}

type Scripted<Q, H> = (question: Q, call: number) => Answer<H> | Error;
type ScriptedAlerts = (
  question: AlertQuestion,
  call: number,
) => (Answer<AlertHit> & { readonly untied?: readonly UntiedAlert[] }) | Error;

/** A SIEM whose answers are scripted: each function is asked with the question and the number of the call, from 0 on. */
export class ScriptedSiem implements SiemAdapter {
  serverTime: (() => Instant | undefined) | Error = () => undefined;
  onEvents: Scripted<Question, EventHit> = () => whole([]);
  onAlerts: ScriptedAlerts = () => whole([]);
  onRules: Scripted<RuleQuestion, RuleHealth> = () => whole([]);
  readonly questions: { readonly kind: string; readonly question: Question | RuleQuestion }[] = [];

  ping(): Promise<{ serverTime?: Instant }> {
    if (this.serverTime instanceof Error) return Promise.reject(this.serverTime);
    const serverTime = this.serverTime();
    return Promise.resolve(serverTime === undefined ? {} : { serverTime });
  }

  events(question: Question): Promise<Answer<EventHit>> {
    return this.#answer('events', question, this.onEvents);
  }

  /** Without `untied`, there are none. */
  async alerts(question: AlertQuestion): Promise<AlertAnswer> {
    return { untied: [], ...(await this.#answer('alerts', question, this.onAlerts)) };
  }

  rules(question: RuleQuestion): Promise<Answer<RuleHealth>> {
    return this.#answer('rules', question, this.onRules);
  }

  /** How often a kind of question was asked. */
  asked(kind: 'events' | 'alerts' | 'rules'): number {
    return this.questions.filter((one) => one.kind === kind).length;
  }

  #answer<Q extends Question | RuleQuestion, H>(
    kind: 'events' | 'alerts' | 'rules',
    question: Q,
    script: Scripted<Q, H>,
  ): Promise<Answer<H>> {
    const answer = script(question, this.asked(kind));
    this.questions.push({ kind, question });
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }
}
