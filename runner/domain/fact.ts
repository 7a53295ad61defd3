import type { NonEmpty } from './non-empty.ts';

/** Why something could not be told, refused or left out. The classes are closed so that reports can explain each. */
export type ReasonClass =
  | 'unreachable'
  | 'refused'
  | 'throttled'
  | 'timeout'
  | 'protocol'
  | 'cut-short'
  | 'source-not-alive'
  | 'not-observable-on-loopback'
  | 'still-waiting'
  | 'rule-failed'
  | 'rule-not-run'
  | 'rule-unknown'
  | 'suppressed'
  | 'ambiguous'
  | 'clocks-disagree'
  | 'broken-off'
  | 'not-started'
  | 'out-of-scope'
  | 'out-of-window'
  | 'interrupted'
  | 'no-interpreter'
  | 'host-key'
  | 'login'
  | 'in-the-way'
  | 'too-many-failures';

export type Reason = { readonly class: ReasonClass; readonly detail: string };

/** The answer to one hop's question. `no` needs proof; what could not be told is `unknown`, never `no`. */
export type Fact<Yes, No> =
  | { readonly is: 'yes'; readonly evidence: NonEmpty<Yes> }
  | { readonly is: 'no'; readonly proof: No }
  | { readonly is: 'unknown'; readonly why: Reason }
  | { readonly is: 'not-asked'; readonly because: string };

export function unknown(reasonClass: ReasonClass, detail: string): { readonly is: 'unknown'; readonly why: Reason } {
  return { is: 'unknown', why: { class: reasonClass, detail } };
}

export function notAsked(because: string): { readonly is: 'not-asked'; readonly because: string } {
  return { is: 'not-asked', because };
}
