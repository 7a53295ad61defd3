import type { EvidenceRef } from '../../../runner/domain/evidence.ts';
import type { Question, RuleQuestion } from '../../../runner/domain/siem.ts';
import type { PluginDeps } from '../../../runner/ports.ts';
import type { FileRead } from './line-files.ts';

/** What somebody needs to repeat a question with stock tools: what was asked, and which bytes of which files were read. */
export type Exchange = {
  readonly operation: 'events' | 'alerts' | 'rules';
  readonly folder: string;
  readonly question: Question | RuleQuestion;
  readonly read: readonly FileRead[];
  readonly hits: number;
  readonly complete: unknown;
};

/** Keeps an exchange as evidence. */
export async function keepExchange(exchange: Exchange, deps: PluginDeps): Promise<EvidenceRef> {
  const document = { siem: 'files', askedAt: deps.clock.now(), ...exchange };
  return deps.keep(Buffer.from(JSON.stringify(document, undefined, 1)), 'application/json');
}
