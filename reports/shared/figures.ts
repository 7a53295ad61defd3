import type { Figure } from '../../runner/domain/run-report.ts';
import { grouped } from './visible.ts';

/** `9 of 12`, never a percentage by itself; `none judged` when there is no denominator. */
export function fraction(figure: Figure): string {
  return figure.of === 0 ? 'none judged' : `${grouped(figure.share)} of ${grouped(figure.of)}`;
}

/**
 * A percentage to stand beside {@link fraction}, or undefined where it would mislead: without a denominator, and as
 * "100 %" while a single host was tested or anything was inconclusive, not tested or out of reach. Rounded so that it
 * never reaches 0 % or 100 % unless it is exactly that.
 */
export function percentage(figure: Figure): string | undefined {
  if (figure.of === 0) return undefined;
  if (figure.share === figure.of)
    return figure.hostsTested > 1 && figure.hostsTested >= figure.hostsInScope && untold(figure) === 0
      ? '100 %'
      : undefined;
  if (figure.share === 0) return '0 %';
  const percent = Math.round((100 * figure.share) / figure.of);
  return percent === 0 ? '< 1 %' : percent === 100 ? '> 99 %' : `${percent} %`;
}

/** What stands beside every figure: `2 inconclusive, 3 not tested, hosts 2 of 2`. */
export function base(figure: Figure): string {
  return `${grouped(figure.inconclusive)} inconclusive, ${grouped(figure.notTested)} not tested, hosts ${hosts(figure)}`;
}

function hosts(figure: Figure): string {
  return `${grouped(figure.hostsTested)} of ${grouped(figure.hostsInScope)}`;
}

function untold(figure: Figure): number {
  return figure.inconclusive + figure.notTested;
}
