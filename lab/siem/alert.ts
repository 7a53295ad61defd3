import type { SigmaRule } from '../sigma/rule.ts';
import { present } from './ecs-event.ts';
import type { EcsEvent } from './ecs-event.ts';

/** An alert as the store keeps it: what was raised, by which rule, for which events, and a copy of what the event said. */
export type Alert = {
  readonly id: string;
  /** When it was raised, by the SIEM's clock. */
  readonly '@timestamp': string;
  readonly rule: {
    /** The rule's name in the SIEM: its file's name without the ending. */
    readonly id: string;
    /** Its id in the Sigma file. */
    readonly uuid: string;
    readonly name: string;
    readonly tags: readonly string[];
  };
  readonly severity: string;
  readonly threat: { readonly technique: { readonly id: readonly string[] } };
  /** `event.id` of the events that it refers to. */
  readonly events: readonly string[];
  /** The event's own time, by the host's clock. */
  readonly event: { readonly kind: 'alert'; readonly dataset: string; readonly created: string };
  readonly host: EcsEvent['host'];
} & Pick<EcsEvent, 'message' | 'user' | 'process' | 'destination'>;

/** The alert of a rule that matched an event; the same rule and event always give the same id. */
export function alertOf(rule: SigmaRule, event: EcsEvent, raisedMs: number): Alert {
  return present({
    id: `${rule.file}-${event.event.id}`,
    '@timestamp': new Date(raisedMs).toISOString(),
    rule: { id: rule.file, uuid: rule.id, name: rule.title, tags: rule.tags },
    severity: rule.level,
    threat: { technique: { id: techniquesOf(rule.tags) } },
    events: [event.event.id],
    event: { kind: 'alert', dataset: event.event.dataset, created: event['@timestamp'] },
    host: event.host,
    message: event.message,
    user: event.user,
    process: event.process,
    destination: event.destination,
  });
}

/** `attack.t1059.006` → `T1059.006` (Sigma tags appendix, namespace attack). */
export function techniquesOf(tags: readonly string[]): readonly string[] {
  return tags.flatMap((tag) => /^attack\.(t\d{4}(?:\.\d{3})?)$/.exec(tag)?.[1]?.toUpperCase() ?? []);
}
