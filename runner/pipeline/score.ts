import type { Reason } from '../domain/fact.ts';
import type { SiemExpectation } from '../domain/plan.ts';
import type { Instant } from '../domain/time.ts';
import type { Score, VerdictKind } from '../domain/verdict.ts';

type Stance = Pick<SiemExpectation, 'stance' | 'until'>;

/** How a verdict compares with what the site expects. `at`: when the execution ended, which decides whether a gap is still excused. */
export function scoreOf(
  { verdict, why }: { readonly verdict: VerdictKind; readonly why?: Reason },
  expect: Stance,
  at: Instant,
): Score {
  switch (verdict) {
    case 'inconclusive':
      // Nothing of this source arrives from anywhere, in a complete answer: just what was declared.
      return expect.stance === 'not-collected' && why?.class === 'source-not-alive' && isExcused(expect, at)
        ? 'as-expected'
        : 'inconclusive';
    case 'not-run':
      return 'inconclusive';
    case 'quiet':
    case 'clean':
      return 'as-expected';
    case 'noisy':
    case 'harness-visible':
      return 'worse';
    case 'prevented':
      return expect.stance === 'must-alert' ? 'as-expected' : 'better';
    case 'detected':
      return expect.stance === 'must-stay-quiet' ? 'worse' : expect.stance === 'must-alert' ? 'as-expected' : 'better';
    case 'detected-late':
      return isExcused(expect, at) ? 'better' : 'worse';
    case 'logged':
    case 'logged-thin':
      return expect.stance === 'must-stay-quiet' || isExcused(expect, at) ? 'as-expected' : 'worse';
    case 'recorded-only':
    case 'missed':
      return isExcused(expect, at) ? 'as-expected' : 'worse';
    case 'blind':
      // A known gap is about what a rule can see of an event, not about a host that sends none.
      return expect.stance === 'not-collected' && isExcused(expect, at) ? 'as-expected' : 'worse';
  }
}

/** A gap that was declared beforehand, until the end of its last day (UTC). */
function isExcused({ stance, until }: Stance, at: Instant): boolean {
  return (stance === 'known-gap' || stance === 'not-collected') && (until === undefined || at.slice(0, 10) <= until);
}
