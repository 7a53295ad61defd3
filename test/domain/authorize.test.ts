import fc from 'fast-check';
import t from 'tap';
import { authorize, authorizeCleanup, refuseEngagement, mayPass } from '../../runner/domain/authorize.ts';
import type { Engagement, Inventory, Target, Window } from '../../runner/domain/inventory.ts';
import { duration, epochMs, type Instant, instant, parseInstant, shift } from '../../runner/domain/time.ts';

const target: Target = {
  id: 'web-1',
  platform: 'linux',
  address: '192.0.2.7',
  transport: { kind: 'ssh', settings: {}, channels: ['exec'] },
  accounts: [{ name: 'alice', role: 'standard', settings: {} }],
  interpreter: '/usr/bin/python3',
  groups: ['web'],
  role: 'web-server',
  owner: 'platform',
  criticality: 'low',
  zone: 'dmz',
  names: { siem: ['web-1.example.org', 'WEB-1'] },
  executables: {},
  fidelity: 'real',
  parallel: 4,
};

const yearsEnd = utc('2027-01-01T00:00:00Z');
const always: Window = {
  id: 'always',
  groups: ['web'],
  open: { kind: 'span', from: utc('2026-01-01T00:00:00Z'), to: yearsEnd },
  freezes: [],
  cleanupReserve: duration(0),
};

function utc(text: string): Instant {
  const at = parseInstant(text);
  if (at === undefined) throw new Error(`${text} is no instant`);
  return at;
}

function inventory(more: {
  windows?: readonly Window[];
  engagement?: Partial<Engagement>;
  targets?: readonly Target[];
}): Inventory {
  return {
    file: 'inventory.yaml',
    sha256: '0'.repeat(64),
    engagement: {
      id: 'e-1',
      authorizedBy: 'ciso',
      contacts: [],
      signedPlans: false,
      neverTouch: [],
      sink: 'loopback',
      ...more.engagement,
    },
    windows: more.windows ?? [always],
    targets: more.targets ?? [target],
    siems: [],
    expectations: [],
    python: [],
    limits: { hosts: 8, perZone: 8 },
  };
}

function asked(
  now: Instant,
  windows: readonly Window[],
  { needs = 0, groups = ['web'] }: { needs?: number; groups?: readonly string[] } = {},
): string {
  const host = { ...target, groups };
  const made = inventory({ windows, targets: [host] });
  const answer = authorize(made, host, 'alice', now, duration(needs));
  return answer.is === 'authorized' ? `until ${answer.target.until}` : `${answer.why.class}: ${answer.why.detail}`;
}

const now = utc('2026-11-24T12:00:00Z');

t.test('authorize: a target of the engagement in an open window, for one of its accounts', (t) => {
  const answer = authorize(inventory({}), target, 'alice', now, duration(1_000));
  t.match(answer, { is: 'authorized', target: { account: { name: 'alice' }, purpose: 'run', until: yearsEnd } });
  t.end();
});

t.test('authorize: what is not in the inventory, or not under that address or account, is out of scope', (t) => {
  const strange: readonly (readonly [Target, string])[] = [
    [{ ...target, id: 'web-2' }, 'alice'],
    [{ ...target, address: '192.0.2.8' }, 'alice'],
    [target, 'root'],
    [target, 'Alice'],
  ];
  for (const [one, account] of strange) {
    for (const answer of [
      authorize(inventory({}), one, account, now, duration(0)),
      authorizeCleanup(inventory({}), one, account, now),
    ])
      t.match(answer, { is: 'refused', why: { class: 'out-of-scope' } }, `${one.id} ${one.address} ${account}`);
  }
  t.end();
});

t.test('authorize: the never-touch list wins, by id, address and SIEM name, in any spelling, for clean-up too', (t) => {
  const ipv6 = { ...target, address: '2001:db8::1' };
  const spellings: readonly (readonly [Target, string])[] = [
    [target, 'web-1'],
    [target, 'WEB-1'],
    [target, '192.0.2.7'],
    [target, 'Web-1.Example.ORG'],
    [target, 'web-1.example.org.'],
    [target, ' web-1 '],
    [ipv6, '2001:DB8:0:0:0:0:0:1'],
    [ipv6, '[2001:db8::1]'],
  ];
  for (const [one, spelling] of spellings) {
    const made = inventory({ engagement: { neverTouch: ['other', spelling] }, targets: [one] });
    const refused = { is: 'refused', why: { class: 'out-of-scope', detail: /never-touch list of engagement e-1/ } };
    t.match(authorize(made, one, 'alice', now, duration(0)), refused, spelling);
    t.match(authorizeCleanup(made, one, 'alice', now), refused, spelling);
  }
  const near = inventory({ engagement: { neverTouch: ['web-11', 'web', '192.0.2.70'] } });
  t.equal(authorize(near, target, 'alice', now, duration(0)).is, 'authorized', 'names are compared whole');
  t.end();
});

t.test('authorize: the never-touch list holds networks, and addresses in whatever spelling', (t) => {
  const table: readonly (readonly [entry: string, barred: readonly string[], free: readonly string[]])[] = [
    ['10.0.0.0/8', ['10.255.0.1', '::ffff:10.1.2.3', '0x0a000001', '10.1'], ['11.0.0.1', 'dc10', '2001:db8::a00:1']],
    ['10.1.2.3/8', ['10.9.9.9'], ['11.1.2.3']],
    ['192.0.2.128/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['0.0.0.0/0', ['192.0.2.7', '255.255.255.255'], ['2001:db8::1', 'web-1']],
    ['::/0', ['2001:db8::1', '::1'], ['192.0.2.7', '::ffff:192.0.2.7']],
    ['2001:db8::/32', ['2001:DB8:ffff::1', '[2001:db8::1]'], ['2001:db9::1', '::1']],
    ['::ffff:10.0.0.0/104', ['10.9.9.9'], ['11.0.0.1']],
    [
      '127.0.0.1',
      ['::ffff:127.0.0.1', '::ffff:7f00:1', '[::FFFF:127.0.0.1]', '127.1', '2130706433'],
      ['127.0.0.2', '::1'],
    ],
    ['::ffff:127.0.0.1', ['127.0.0.1'], ['::1', '127.0.0.2']],
    ['fe80::1', ['fe80::1%eth0', 'FE80:0::1%2'], ['fe80::2%eth0']],
    ['fe80::1%eth0', ['fe80::1', 'fe80::1%eth1'], ['fe80::2']],
    ['::', ['0:0:0:0:0:0:0:0'], ['::1', '0.0.0.0']],
    ['dc01.example.com', ['DC01.example.com.'], ['dc01', 'example.com', 'xdc01.example.com']],
  ];
  for (const [entry, barred, free] of table) {
    const engagement = { neverTouch: ['other', entry] };
    for (const address of barred) t.notOk(mayPass(engagement, address), `${entry} bars ${address}`);
    for (const address of free) t.ok(mayPass(engagement, address), `${entry} does not bar ${address}`);
  }
  const made = inventory({ engagement: { neverTouch: ['192.0.2.0/24'] } });
  t.match(authorize(made, target, 'alice', now, duration(0)), {
    is: 'refused',
    why: { detail: /web-1 is on the never-touch list of engagement e-1 \(192\.0\.2\.0\/24\)/ },
  });
  t.end();
});

t.test('authorize: what is no address bars nothing but itself', (t) => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.ipV4(), fc.ipV6(), (entry, v4, v6) => {
      for (const address of [v4, v6]) {
        if (mayPass({ neverTouch: [address] }, address)) throw new Error(`${address} does not bar itself`);
        if (/^[^\d:]*$/.test(entry) && !mayPass({ neverTouch: [entry] }, address))
          throw new Error(`${entry} bars ${address}`);
      }
      mayPass({ neverTouch: [entry] }, entry);
    }),
  );
  t.end();
});

t.test('authorize: a span is open from its start to before its end, less the time for clean-up', (t) => {
  const span: Window = {
    ...always,
    id: 'night',
    open: { kind: 'span', from: utc('2026-11-24T10:00:00Z'), to: utc('2026-11-24T14:00:00Z') },
    cleanupReserve: duration(600_000),
  };
  t.equal(asked(utc('2026-11-24T10:00:00Z'), [span]), 'until 2026-11-24T13:50:00.000Z');
  t.match(asked(utc('2026-11-24T09:59:59.999Z'), [span]), /^out-of-window: window night: open from/);
  t.match(asked(utc('2026-11-24T14:00:00Z'), [span]), /^out-of-window/);
  t.equal(
    asked(utc('2026-11-24T13:40:00Z'), [span], { needs: 600_000 }),
    'until 2026-11-24T13:50:00.000Z',
    'just enough',
  );
  t.match(asked(utc('2026-11-24T13:40:00.001Z'), [span], { needs: 600_000 }), /less than the 600 s needed/);
  t.match(asked(utc('2026-11-24T13:55:00Z'), [span]), /^out-of-window/, 'the time for clean-up is no time to begin in');
  t.end();
});

t.test('authorize: clean-up is allowed when no window is open, and for an hour', (t) => {
  const closed: Window = {
    ...always,
    open: { kind: 'span', from: utc('2020-01-01T00:00:00Z'), to: utc('2020-01-02T00:00:00Z') },
  };
  const answer = authorizeCleanup(inventory({ windows: [closed] }), target, 'alice', now);
  t.match(answer, { is: 'authorized', target: { purpose: 'clean-up', until: shift(now, 3_600_000) } });
  t.end();
});

t.test('authorize: a jump host that is on the never-touch list refuses the target behind it', (t) => {
  const behind = { ...target, jumpHosts: ['10.9.8.7', 'Bastion.example.org'] };
  const made = inventory({ engagement: { neverTouch: ['bastion.example.org.'] }, targets: [behind] });
  t.match(authorize(made, behind, 'alice', instant(0), duration(0)), {
    is: 'refused',
    why: { class: 'out-of-scope', detail: /Bastion\.example\.org, a jump host of web-1, is on the never-touch list/ },
  });
  t.notOk(mayPass(made.engagement, 'BASTION.example.org'));
  t.ok(mayPass(made.engagement, 'bastion2.example.org'));
  t.end();
});

t.test('authorize: a sink that is on the never-touch list refuses every target', (t) => {
  const made = inventory({ engagement: { sink: 'DC01.example.com.:8080', neverTouch: ['dc01.example.com'] } });
  t.match(authorize(made, target, 'alice', instant(0), duration(0)), {
    is: 'refused',
    why: { class: 'out-of-scope', detail: /the sink DC01\.example\.com\. is on the never-touch list/ },
  });
  t.end();
});

t.test('authorize: without a window for one of its groups a target is never touched', (t) => {
  t.match(asked(now, [always], { groups: ['batch'] }), /no window names a group of web-1 \(batch\)/);
  t.match(asked(now, [always], { groups: [] }), /no window names a group of web-1 \(none\)/);
  t.match(asked(now, []), /out-of-window/);
  t.end();
});

t.test('authorize: a freeze of any window of the target closes it, and a coming freeze ends it', (t) => {
  const freeze = (from: string, to: string) => ({ from: utc(from), to: utc(to), because: 'quarter end' });
  const frozen: Window = { ...always, freezes: [freeze('2026-11-24T11:00:00Z', '2026-11-24T13:00:00Z')] };
  t.match(asked(now, [frozen]), /window always is frozen until 2026-11-24T13:00:00\.000Z: quarter end/);
  t.equal(asked(utc('2026-11-24T13:00:00Z'), [frozen]), `until ${yearsEnd}`);
  t.equal(asked(utc('2026-11-24T10:59:59Z'), [frozen]), 'until 2026-11-24T11:00:00.000Z');
  const free: Window = { ...always, id: 'free', groups: ['batch'] };
  t.match(asked(now, [frozen, free], { groups: ['web', 'batch'] }), /is frozen/, 'another window does not open it');
  t.equal(
    asked(utc('2026-11-24T10:00:00Z'), [free, frozen], { groups: ['web', 'batch'] }),
    'until 2026-11-24T11:00:00.000Z',
  );
  t.end();
});

function weekly(days: readonly number[], from: string, to: string, timeZone: string): Window {
  const minute = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return {
    ...always,
    id: 'weekly',
    open: { kind: 'weekly', days, fromMinute: minute(from), toMinute: minute(to), timeZone },
  };
}

t.test('authorize: weekly windows by the wall clock of their time zone', (t) => {
  const everyDay = [1, 2, 3, 4, 5, 6, 7];
  const table: readonly (readonly [Window, string, string])[] = [
    // 24 November 2026 is a Tuesday, day 2.
    [weekly([2], '08:00', '17:00', 'Etc/UTC'), '2026-11-24T08:00:00Z', 'until 2026-11-24T17:00:00.000Z'],
    [weekly([2], '08:00', '17:00', 'Etc/UTC'), '2026-11-24T07:59:59Z', 'closed'],
    [weekly([2], '08:00', '17:00', 'Etc/UTC'), '2026-11-24T17:00:00Z', 'closed'],
    [weekly([1], '08:00', '17:00', 'Etc/UTC'), '2026-11-24T12:00:00Z', 'closed'],
    [weekly([2], '08:00', '17:00', 'America/New_York'), '2026-11-24T12:59:59Z', 'closed'],
    [weekly([2], '08:00', '17:00', 'America/New_York'), '2026-11-24T13:00:00Z', 'until 2026-11-24T22:00:00.000Z'],
    [weekly([2], '08:00', '17:00', 'Asia/Kolkata'), '2026-11-24T11:29:59.500Z', 'until 2026-11-24T11:30:00.000Z'],
    // Overnight: it is Tuesday's window until Wednesday morning.
    [weekly([2], '22:00', '06:00', 'Etc/UTC'), '2026-11-24T23:00:00Z', 'until 2026-11-25T06:00:00.000Z'],
    [weekly([2], '22:00', '06:00', 'Etc/UTC'), '2026-11-25T05:59:00Z', 'until 2026-11-25T06:00:00.000Z'],
    [weekly([2], '22:00', '06:00', 'Etc/UTC'), '2026-11-24T05:00:00Z', 'closed'],
    [weekly([7], '22:00', '06:00', 'Etc/UTC'), '2026-11-30T05:00:00Z', 'until 2026-11-30T06:00:00.000Z'],
    [weekly([2], '22:00', '24:00', 'Etc/UTC'), '2026-11-24T23:59:59.999Z', 'until 2026-11-25T00:00:00.000Z'],
    [weekly([2], '22:00', '24:00', 'Etc/UTC'), '2026-11-25T00:00:00Z', 'closed'],
    [weekly([2], '22:00', '00:00', 'Etc/UTC'), '2026-11-24T22:30:00Z', 'until 2026-11-25T00:00:00.000Z'],
    // Days that touch are one opening.
    [weekly([2, 3], '00:00', '24:00', 'Etc/UTC'), '2026-11-24T12:00:00Z', 'until 2026-11-26T00:00:00.000Z'],
    [weekly([2, 3], '08:00', '08:00', 'Etc/UTC'), '2026-11-24T12:00:00Z', 'until 2026-11-26T08:00:00.000Z'],
    // The night of 28 to 29 March 2026: in Berlin 02:00 becomes 03:00. An end at 06:00 comes an hour sooner.
    [weekly([6], '22:00', '06:00', 'Europe/Berlin'), '2026-03-28T22:00:00Z', 'until 2026-03-29T04:00:00.000Z'],
    [weekly([6], '22:00', '06:00', 'Europe/Berlin'), '2026-03-29T03:59:59Z', 'until 2026-03-29T04:00:00.000Z'],
    [weekly([6], '22:00', '06:00', 'Europe/Berlin'), '2026-03-29T04:00:00Z', 'closed'],
    // 02:30 does not exist in that night: the window ends when the clock leaves it out.
    [weekly([6], '22:00', '02:30', 'Europe/Berlin'), '2026-03-28T23:00:00Z', 'until 2026-03-29T01:00:00.000Z'],
    // The night of 24 to 25 October 2026: 03:00 becomes 02:00.
    [weekly([6], '22:00', '06:00', 'Europe/Berlin'), '2026-10-24T21:00:00Z', 'until 2026-10-25T05:00:00.000Z'],
    [weekly([6], '22:00', '02:30', 'Europe/Berlin'), '2026-10-24T22:00:00Z', 'until 2026-10-25T00:30:00.000Z'],
    // Midnight itself is left out: Cairo, 24 April 2026, 00:00 becomes 01:00.
    [weekly([4], '00:00', '24:00', 'Africa/Cairo'), '2026-04-23T12:00:00Z', 'until 2026-04-23T22:00:00.000Z'],
  ];
  for (const [window, at, expected] of table) {
    const answer = asked(utc(at), [window]);
    if (expected === 'closed') t.match(answer, /^out-of-window: window weekly: closed now/, at);
    else t.equal(answer, expected, `${at} ${JSON.stringify(window.open)}`);
  }
  const daily = asked(now, [weekly(everyDay, '00:00', '24:00', 'Europe/Berlin')]);
  t.ok(epochMs(utc(daily.slice('until '.length))) >= epochMs(now) + 7 * 86_400_000, 'every day, all day: a week ahead');
  t.end();
});

t.test('authorize: what it calls open stays open to its end, at any time of the year and in any zone', (t) => {
  const zones = [
    'Etc/UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Africa/Cairo',
  ];
  const minutes = fc.integer({ min: 0, max: 287 }).map((five) => five * 5);
  const year = epochMs(utc('2026-01-01T00:00:00Z'));
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      minutes,
      minutes,
      fc.integer({ min: 0, max: 365 * 86_400 - 1 }),
      fc.integer({ min: 1, max: 999 }),
      (timeZone, days, fromMinute, toMinute, seconds, part) => {
        const window: Window = { ...always, open: { kind: 'weekly', days, fromMinute, toMinute, timeZone } };
        const start = instant(year + seconds * 1_000);
        const answer = asked(start, [window]);
        if (!answer.startsWith('until ')) return;
        const until = utc(answer.slice('until '.length));
        if (until <= start) throw new Error(`opens until ${until}, which is not after ${start}`);
        const between = shift(start, Math.floor(((epochMs(until) - epochMs(start)) * part) / 1_000));
        if (!asked(between, [window]).startsWith('until ')) throw new Error(`closed at ${between}, before ${until}`);
      },
    ),
    { numRuns: 1_500 },
  );
  t.end();
});

t.test('authorize: of several open windows the one that is open longest counts', (t) => {
  const short: Window = {
    ...always,
    id: 'short',
    open: { kind: 'span', from: utc('2026-11-24T11:00:00Z'), to: utc('2026-11-24T12:30:00Z') },
  };
  const long: Window = {
    ...short,
    id: 'long',
    open: { kind: 'span', from: utc('2026-11-24T11:00:00Z'), to: utc('2026-11-24T18:00:00Z') },
  };
  t.equal(asked(now, [short, long], { needs: 3_600_000 }), 'until 2026-11-24T18:00:00.000Z');
  t.equal(asked(now, [long, short], { needs: 3_600_000 }), 'until 2026-11-24T18:00:00.000Z');
  t.end();
});

t.test('engagement: one that asks for signed plans is refused as long as signatures cannot be checked', (t) => {
  t.equal(refuseEngagement(inventory({}).engagement), undefined);
  t.match(refuseEngagement(inventory({ engagement: { signedPlans: true } }).engagement), {
    class: 'refused',
    detail: /e-1 asks for plans signed by an approver/,
  });
  t.end();
});
