import type { Account, Engagement, Inventory, Target, Weekly, Window } from './inventory.ts';
import type { Reason } from './fact.ts';
import { barredBy } from './never-touch.ts';
import { type DurationMs, earlier, elapsed, epochMs, type Instant, shift } from './time.ts';

const brand: unique symbol = Symbol('authorized');

/**
 * A target that engagement, window and inventory allow now, for one account. The only thing a transport accepts;
 * {@link authorize} and {@link authorizeCleanup} are its only makers, since the brand stays in this file.
 */
export type AuthorizedTarget = {
  readonly target: Target;
  readonly account: Account;
  readonly purpose: 'run' | 'clean-up';
  /** Nothing of the run may start later than this. */
  readonly until: Instant;
  /** Of the engagement: a transport that learns of another address on its way holds it against {@link mayPass}. */
  readonly neverTouch: readonly string[];
  readonly [brand]: true;
};

/** May an address that is no target of the inventory be connected to on the way to this one: a jump host, what a client's configuration names? */
export function mayPass({ neverTouch }: Pick<AuthorizedTarget, 'neverTouch'>, address: string): boolean {
  return barredBy(neverTouch, [address]) === undefined;
}

export type Authorization =
  { readonly is: 'authorized'; readonly target: AuthorizedTarget } | { readonly is: 'refused'; readonly why: Reason };

/**
 * May this account of this target be touched now, with `needs` to go, clean-up not counted? Pure: `now` is an argument,
 * and it is asked again before every touch.
 */
export function authorize(
  inventory: Inventory,
  target: Target,
  accountName: string,
  now: Instant,
  needs: DurationMs,
): Authorization {
  const scope = inScope(inventory, target, accountName);
  if (scope.is === 'refused') return scope;
  const windows = inventory.windows.filter((window) => window.groups.some((group) => target.groups.includes(group)));
  if (windows.length === 0)
    return refused('out-of-window', `no window names a group of ${target.id} (${target.groups.join(', ') || 'none'})`);
  // A target of several groups may be touched when one of their windows is open, and not while any of them is frozen.
  const freezes = windows.flatMap((window) => window.freezes.map((freeze) => ({ ...freeze, window })));
  const frozen = freezes.find((freeze) => freeze.from <= now && now < freeze.to);
  if (frozen !== undefined)
    return refused('out-of-window', `window ${frozen.window.id} is frozen until ${frozen.to}: ${frozen.because}`);
  const closings = windows.map((window) => ({ window, closing: closesAt(window.open, now) }));
  const open = closings.flatMap(({ window, closing }) => {
    if (!closing.open) return [];
    const end = freezes.reduce((soonest, { from }) => (from > now ? earlier(soonest, from) : soonest), closing.at);
    return [{ window, until: shift(end, -1 * window.cleanupReserve) }];
  });
  const [first] = open.sort((a, b) => b.until.localeCompare(a.until));
  if (first === undefined)
    return refused(
      'out-of-window',
      closings.map(({ window, closing }) => `window ${window.id}: ${closing.open ? '' : closing.because}`).join('; '),
    );
  if (elapsed(now, first.until) < needs)
    return refused(
      'out-of-window',
      `window ${first.window.id} leaves until ${first.until} before clean-up must start, which is less than the ${Math.ceil(needs / 1000)} s needed`,
    );
  return {
    is: 'authorized',
    target: {
      target,
      account: scope.account,
      purpose: 'run',
      until: first.until,
      neverTouch: inventory.engagement.neverTouch,
      [brand]: true,
    },
  };
}

/** Clean-up of detproof's own leftovers is allowed after the window, but never outside engagement and inventory. */
export function authorizeCleanup(
  inventory: Inventory,
  target: Target,
  accountName: string,
  now: Instant,
): Authorization {
  const scope = inScope(inventory, target, accountName);
  if (scope.is === 'refused') return scope;
  return {
    is: 'authorized',
    target: {
      target,
      account: scope.account,
      purpose: 'clean-up',
      until: shift(now, 3_600_000),
      neverTouch: inventory.engagement.neverTouch,
      [brand]: true,
    },
  };
}

/** Reasons for which a whole run of this engagement is refused, whatever the target. */
export function refuseEngagement(engagement: Engagement): Reason | undefined {
  if (!engagement.signedPlans) return undefined;
  return {
    class: 'refused',
    detail: `engagement ${engagement.id} asks for plans signed by an approver (engagement.signedPlans), and this version of detproof cannot check signatures yet`,
  };
}

function inScope(
  inventory: Inventory,
  target: Target,
  accountName: string,
): { readonly is: 'in-scope'; readonly account: Account } | { readonly is: 'refused'; readonly why: Reason } {
  if (!inventory.targets.some(({ id, address }) => id === target.id && address === target.address))
    return refused(
      'out-of-scope',
      `${target.id} (${target.address}) is not a target of engagement ${inventory.engagement.id}`,
    );
  const forbidden = barredBy(inventory.engagement.neverTouch, [
    target.id,
    target.address,
    ...Object.values(target.names).flat(),
  ]);
  if (forbidden !== undefined)
    return refused(
      'out-of-scope',
      `${target.id} is on the never-touch list of engagement ${inventory.engagement.id} (${forbidden})`,
    );
  const jumpHost = target.jumpHosts?.find((address) => !mayPass(inventory.engagement, address));
  if (jumpHost !== undefined)
    return refused(
      'out-of-scope',
      `${jumpHost}, a jump host of ${target.id}, is on the never-touch list of engagement ${inventory.engagement.id}`,
    );
  const sink = inventory.engagement.sink.replace(/:\d+$/, '');
  if (!mayPass(inventory.engagement, sink))
    return refused(
      'out-of-scope',
      `the sink ${sink} is on the never-touch list of engagement ${inventory.engagement.id}`,
    );
  const account = target.accounts.find((known) => known.name === accountName);
  if (account === undefined) return refused('out-of-scope', `account ${accountName} is not declared for ${target.id}`);
  return { is: 'in-scope', account };
}

function refused(reasonClass: Reason['class'], detail: string): { readonly is: 'refused'; readonly why: Reason } {
  return { is: 'refused', why: { class: reasonClass, detail } };
}

type Closing = { readonly open: true; readonly at: Instant } | { readonly open: false; readonly because: string };

/** Is a weekly window open at `now`? */
export function isOpen(weekly: Weekly, now: Instant): boolean {
  return closesAt(weekly, now).open;
}

/** When the window that is open at `now` closes. */
function closesAt(open: Window['open'], now: Instant): Closing {
  let end = endOfOpening(open, now);
  if (!end.open) return end;
  // A window that opens again in the moment it closes (every day, all day) is one opening; a week ahead is far enough.
  for (let again = endOfOpening(open, end.at), days = 0; again.open && days < 8; days += 1) {
    end = again;
    again = endOfOpening(open, end.at);
  }
  return end;
}

function endOfOpening(open: Window['open'], now: Instant): Closing {
  if (open.kind === 'span')
    return open.from <= now && now < open.to
      ? { open: true, at: open.to }
      : { open: false, because: `open from ${open.from} to ${open.to}, it is ${now}` };
  const { day, minute, second } = wallClock(now, open.timeZone);
  const overnight = open.toMinute <= open.fromMinute;
  const yesterday = day === 1 ? 7 : day - 1;
  const minutesLeft =
    open.days.includes(day) && minute >= open.fromMinute && (overnight || minute < open.toMinute)
      ? open.toMinute - minute + (overnight ? 1440 : 0)
      : overnight && open.days.includes(yesterday) && minute < open.toMinute
        ? open.toMinute - minute
        : undefined;
  if (minutesLeft === undefined)
    return { open: false, because: `closed now (day ${day}, ${clock(minute)} in ${open.timeZone})` };
  const naive = shift(now, minutesLeft * 60_000 - second * 1_000 - (epochMs(now) % 1_000));
  return { open: true, at: onWallClock(naive, open.toMinute, open.timeZone) };
}

/**
 * `naive` is right unless the clock is put forward or back before it: then the moment at which the wall clock shows `minute`, or,
 * when it leaves that minute out, the moment at which it does so.
 */
function onWallClock(naive: Instant, minute: number, timeZone: string): Instant {
  const past = (at: Instant): number => {
    const off = wallClock(at, timeZone).minute - (minute % 1440);
    return off > 720 ? off - 1440 : off < -720 ? off + 1440 : off;
  };
  let at = shift(naive, -60_000 * past(naive));
  while (past(at) < 0 && at < naive) at = shift(at, 60_000);
  return at;
}

function wallClock(now: Instant, timeZone: string): { day: number; minute: number; second: number } {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(new Date(epochMs(now)));
  const part = (type: string): string => parts.find((candidate) => candidate.type === type)?.value ?? '';
  return {
    day: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part('weekday')) + 1,
    minute: Number(part('hour')) * 60 + Number(part('minute')),
    second: Number(part('second')),
  };
}

function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}
