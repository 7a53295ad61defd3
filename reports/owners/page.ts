import type { OwnerHost, OwnerPage, OwnerWork } from '../../runner/domain/owner-page.ts';
import type { OutputFile } from '../../runner/ports.ts';
import { formatDuration } from '../../runner/domain/time.ts';
import { block, renderTemplate } from '../shared/template.ts';
import { utcSeconds } from '../shared/times.ts';
import { platformWords } from '../shared/words.ts';

/** Names of the files beside this one that {@link renderOwnerPages} is given the text of. */
export const ownerTemplates = ['owners/page.mustache', 'owners/index.mustache', 'owners/owners.css'] as const;

/** Stands at the head of every page: how a file is told that an earlier plan wrote. */
export const ownersMark = '<meta name="generator" content="detproof" />';

type Templates = ReadonlyMap<string, string>;

/** A page for each owner, and an index of them: HTML without anything from elsewhere. Pure: the same pages give the same bytes. */
export function renderOwnerPages(pages: readonly OwnerPage[], templates: Templates): readonly OutputFile[] {
  const named = pages.map((page, index) => ({ page, path: `${fileName(page.owner, index, pages)}.html` }));
  const file = (path: string, text: string): OutputFile => ({ path, mediaType: 'text/html; charset=utf-8', text });
  const [first] = pages;
  const index = renderTemplate(templates, 'owners/index.mustache', {
    runId: first?.runId ?? '',
    owners: named.map(({ page, path }) => ({
      ...{ path, owner: page.owner, hosts: page.hosts.length },
      contacts: page.engagement.contacts.join(', '),
    })),
  });
  return [file('index.html', index), ...named.map(({ page, path }) => file(path, ownerHtml(page, templates)))];
}

/** Letters and digits of the owner's name, and a number where two owners would share a file. */
function fileName(owner: string, index: number, pages: readonly OwnerPage[]): string {
  const slug = (name: string): string =>
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60);
  const own = slug(owner);
  const isTaken = own === '' || own === 'index' || pages.some((page, at) => at !== index && slug(page.owner) === own);
  return isTaken ? `${own === '' ? 'owner' : own}-${index + 1}` : own;
}

function ownerHtml(page: OwnerPage, templates: Templates): string {
  const { engagement, hosts, works, leftOut } = page;
  const sources = [
    ...new Set(works.flatMap(({ items }) => items.flatMap(({ steps }) => steps.flatMap(({ source = '' }) => source)))),
  ].filter((source) => source !== '');
  const numberOf = new Map(sources.map((source, index) => [source, index + 1]));
  const standIns = hosts.filter(({ fidelity }) => fidelity === 'stand-in').length;
  const executions = works.reduce(
    (sum, { hosts: on, items }) => sum + on.length * items.reduce((of, { times }) => of + times, 0),
    0,
  );
  return renderTemplate(templates, 'owners/page.mustache', {
    owner: page.owner,
    runId: page.runId,
    created: utcSeconds(page.createdAt),
    operator: page.operator,
    engagement: engagement.id,
    authorizedBy: engagement.authorizedBy,
    ticket: engagement.changeTicket ?? 'none named',
    contacts: engagement.contacts,
    sink: engagement.sink === 'loopback' ? 'each host itself (loopback)' : engagement.sink,
    ...{ hostCount: hosts.length, executions, standIns: standIns === 0 ? [] : [{ count: standIns }] },
    hosts: hosts.map(hostRow),
    windows: [...new Set(hosts.flatMap(({ windows }) => windows))].sort(),
    tight: hosts.flatMap(({ id, tight }) => (tight === undefined ? [] : [{ id, why: tight }])),
    works: works.map(({ hosts: on, items }, index) => ({
      number: index + 1,
      hosts: on.join(', '),
      items: items.map((item) => workRow(item, numberOf)),
    })),
    ...{ homeWord: '{{home}}', runWord: '{{run}}', nameWord: '{{name}}', markerWord: '{{marker}}' },
    sources: sources.map((source, index) => ({ number: index + 1, text: block(source) })),
    hasLeftOut: leftOut.length > 0 ? [{ leftOut }] : [],
  });
}

function hostRow(host: OwnerHost): object {
  const { sensors, accounts, wave, waves, platform, needs, until, fidelity } = host;
  return {
    ...{ id: host.id, address: host.address, role: host.role, zone: host.zone, criticality: host.criticality },
    platform: `${platformWords[platform]}${fidelity === 'stand-in' ? ' (stand-in)' : ''}`,
    accounts: accounts.join(', '),
    reachedBy: host.reachedBy,
    interpreter: host.interpreter,
    sensors: sensors.length === 0 ? 'none named' : sensors.join(', '),
    wave: `${wave} of ${waves}`,
    needs: formatDuration(needs),
    until: utcSeconds(until),
  };
}

const purposes = {
  emulation: 'emulation: a rule should see it',
  twin: 'twin: legitimate work of the same shape, no rule may react',
  control: 'control: shows that the log pipe is open',
} as const;

function workRow(item: OwnerWork, numberOf: ReadonlyMap<string, number>): object {
  const { accounts, times, makes, steps, network, longest } = item;
  return {
    title: item.title,
    id: item.variant === undefined ? item.scenario : `${item.scenario} @ ${item.variant}`,
    purpose: purposes[item.purpose],
    harmless: item.harmless === undefined ? [] : [{ text: item.harmless }],
    who: `as ${accounts.join(', ')}${times === 1 ? '' : `, ${times} times`}, at most ${formatDuration(longest)} each`,
    steps: steps.map(({ command, startedBy, source }) => ({
      command: block(command),
      startedBy,
      source: source === undefined ? [] : [{ number: numberOf.get(source) ?? 0 }],
    })),
    makes,
    network,
  };
}
