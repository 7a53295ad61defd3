import { mkdir, readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import type { OwnerPage } from '../../runner/domain/owner-page.ts';
import type { Plan } from '../../runner/domain/plan.ts';
import type { PythonStep } from '../../runner/domain/scenario.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import { ownerPages } from '../../runner/pipeline/owner-pages.ts';
import { ownerTemplates, renderOwnerPages } from '../../reports/owners/page.ts';
import { payloads, Site, step } from '../fakes/site.ts';

const templates = new Map(
  await Promise.all(
    ownerTemplates.map(
      async (name) => [name, await readFile(new URL(`../../reports/${name}`, import.meta.url), 'utf8')] as const,
    ),
  ),
);

const sources: Readonly<Record<string, string>> = {
  'receipt.py': 'import socket\nprint("receipt")',
  'connect.py': 'import socket\ndef behaviour(arguments): pass',
};

/** Two owners: one with two hosts that are alike, one with a Windows stand-in of another wave. */
function pagesOf(change: (plan: Plan) => Plan = (plan) => plan, sink = 'loopback'): readonly OwnerPage[] {
  const site = new Site({
    alpha: { owner: 'Web Team', sensors: ['auditd'], jumpHosts: ['jump-1'] },
    beta: { owner: 'Web Team' },
    gamma: {
      owner: 'Windows & <Co>',
      platform: 'windows',
      fidelity: 'stand-in',
      interpreter: 'C:\\Program Files\\Python\\python.exe',
      transport: { kind: 'winrm', settings: {}, channels: ['winrm'] },
    },
    delta: { owner: 'Web Team' },
  });
  const inventory = {
    ...site.inventory,
    engagement: { ...site.inventory.engagement, contacts: ['soc@example.org', '+49 30 1234'], sink },
    waves: { first: 2, then: 1 },
  };
  const steps: Readonly<Record<string, PythonStep>> = {
    file: step,
    inline: { ...step, invocation: '-c' },
    cron: { ...step, via: 'cron', interpreter: 'renamed', privilege: 'admin' },
    task: { ...step, via: 'task' },
    net: { ...step, script: 'connect.py', invocation: 'stdin' },
  };
  const executions = ['alpha', 'beta', 'gamma'].flatMap((target) =>
    Object.entries(steps)
      .filter(([name]) => name !== (target === 'gamma' ? 'cron' : 'task'))
      .map(([name, one]) => ({
        ...site.planned(name, { target, steps: [one], creates: ['/tmp/{{run}}'] }),
        title: `Do ${name}`,
      })),
  );
  const until = shift(instant(Date.UTC(2026, 10, 24, 2)), 3_600_000);
  const plan: Plan = {
    ...site.plan(executions),
    targets: ['alpha', 'beta', 'gamma'].map((id, index) => ({
      ...{ id, until, needs: duration(index === 2 ? 7_200_000 : 120_000), wave: index === 2 ? 2 : 1 },
    })),
    leftOut: [
      { what: 'delta/alice', because: 'no window is open' },
      { what: 'linux/other', because: 'nobody' },
    ],
  };
  return ownerPages({
    plan: change(plan),
    inventory,
    scenarios: [{ id: 'linux/net', harmless: 'It stays on loopback.' } as never],
    payloads: { ...payloads, read: (name) => sources[name] ?? '' },
    operator: 'op@jump-1',
  });
}

t.test('ownerPages: each owner has its hosts, and what is the same on several is said once', (t) => {
  const pages = pagesOf();
  t.same(
    pages.map(({ owner, hosts, works }) => [owner, hosts.map(({ id }) => id), works.map((work) => work.hosts)]),
    [
      ['Web Team', ['alpha', 'beta'], [['alpha', 'beta']]],
      ['Windows & <Co>', ['gamma'], [['gamma']]],
    ],
  );
  const [web, windows] = pages;
  t.same(web?.leftOut, [{ what: 'delta/alice', because: 'no window is open' }]);
  t.match(web?.hosts[0], { wave: 1, waves: 2, reachedBy: 'scripted through jump-1', sensors: ['auditd'] });
  t.equal(web?.hosts[0]?.tight, undefined);
  t.match(windows?.hosts[0]?.tight, /wave 2/);
  t.match(web?.hosts[0]?.windows, [/^today: from 1970.*last 60 s are kept for clean-up/]);
  t.end();
});

t.test('ownerPages: lines are the exact ones, sources go beside them, and what connects is known', (t) => {
  const [web, windows] = pagesOf();
  const item = (name: string, of = web) => of?.works[0]?.items.find(({ title }) => title === `Do ${name}`);
  t.equal(item('file')?.steps[0]?.command, "/usr/bin/python3 '{{home}}/{{run}}/run.py' '{{marker}}'");
  t.equal(item('file')?.network, 'none', 'a receipt that asks for its own host name connects to nothing');
  t.match(item('file')?.makes, ['{{home}}/{{run}}', '/tmp/{{run}}', '{{home}}/{{run}}/run.py']);
  t.match(item('cron')?.steps[0], {
    command: /copy of \/usr\/bin\/python3 as[^]*\n00 00 01 01 \* \[ .* && exec '?\{\{home/,
    startedBy: 'cron, once, with the rights of an administrator',
  });
  t.match(item('net'), { network: /loopback\) only/, harmless: 'It stays on loopback.' });
  t.match(item('net')?.steps[0], { command: /< the source below$/, source: /def behaviour/ });
  t.equal(
    item('file', windows)?.steps[0]?.command,
    '"C:\\Program Files\\Python\\python.exe" {{home}}/{{run}}/run.py {{marker}}',
  );
  t.match(item('task', windows)?.steps[0], {
    command:
      /^scheduled task {{name}} without a trigger, started once: "C:\\Program Files\\Python\\python\.exe" {{home}}/,
    startedBy: 'task, once',
  });
  const [sunk] = pagesOf((plan) => plan, 'sink.example.org:8080');
  t.equal(item('net', sunk)?.network, 'TCP to sink.example.org:8080');
  t.end();
});

t.test('renderOwnerPages: the same pages give the bytes of the golden files, twice', async (t) => {
  const files = renderOwnerPages(pagesOf(), templates);
  t.same(
    files.map(({ path }) => path),
    ['index.html', 'web-team.html', 'windows-co.html'],
  );
  t.same(renderOwnerPages(pagesOf(), templates), files);
  for (const { path, text } of files) {
    const golden = new URL(`golden/owners.${path}.golden`, import.meta.url);
    if (process.env.UPDATE_GOLDEN === '1') {
      await mkdir(new URL('golden/', import.meta.url), { recursive: true });
      await writeFile(golden, text);
    }
    t.ok(text === (await readFile(golden, 'utf8')), `${path} is as agreed (UPDATE_GOLDEN=1 rewrites it)`);
    t.notMatch(text, /<script|https?:\/\/|src=/, 'nothing acts, and nothing comes from elsewhere');
  }
  const page = files[2]?.text ?? '';
  t.match(page, /Windows &amp; &lt;Co&gt;/);
  t.match(page, /soc@example\.org<\/strong> <strong>\+49 30 1234/);
  t.match(page, /detproof stop/);
  t.match(page, /gamma may not fit/);
});

t.test('renderOwnerPages: owners whose names come to the same file name have files of their own', (t) => {
  const [page] = pagesOf();
  if (page === undefined) throw new Error('no page');
  const named = (...owners: readonly string[]): readonly string[] =>
    renderOwnerPages(
      owners.map((owner) => ({ ...page, owner })),
      templates,
    ).map(({ path }) => path);
  t.same(named('a b', 'A-B', '!!', 'index', '../../etc/passwd'), [
    'index.html',
    'a-b-1.html',
    'a-b-2.html',
    'owner-3.html',
    'index-4.html',
    'etc-passwd.html',
  ]);
  t.end();
});

t.test('renderOwnerPages: whatever a text holds, it is text', (t) => {
  const [page] = pagesOf();
  if (page === undefined) throw new Error('no page');
  const tags = (html: string): readonly string[] => [...html.matchAll(/<\/?[a-z][^\s>]*/g)].map(([tag]) => tag).sort();
  const plain = { ...page, owner: 'owner', leftOut: [{ what: 'what', because: 'because' }], operator: 'operator' };
  const usual = tags(renderOwnerPages([plain], templates)[1]?.text ?? '');
  const hostile = fc.oneof(
    fc.string(),
    fc.constantFrom('<img src=x onerror=alert(1)>', '{{owner}}', '</pre><b>', '"\''),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const [works] = page.works;
      const [item] = works?.items ?? [];
      const changed: OwnerPage = {
        ...plain,
        owner: text,
        operator: text,
        leftOut: [{ what: text, because: text }],
        works:
          works === undefined || item === undefined
            ? []
            : [{ ...works, items: [{ ...item, title: text, network: text }, ...works.items.slice(1)] }],
      };
      const html = renderOwnerPages([changed], templates)[1]?.text ?? '';
      return tags(html).join() === usual.join();
    }),
  );
  t.end();
});
