import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import type { AttackFacts } from '../../runner/domain/attack.ts';
import { loadAttack } from '../../runner/load/attack.ts';
import { edited, pinnedAttack, project, readProjectFile } from './material.ts';

const attack = await pinnedAttack();

t.test('attack: the pinned facts are DET0063 with its analytics, log sources and elements', (test) => {
  test.match(attack, {
    version: '19.1',
    notice: /^© 2026 The MITRE Corporation\./,
    technique: { id: 'T1059.006', name: 'Python', tactic: 'execution' },
    strategy: { id: 'DET0063', url: 'https://attack.mitre.org/detectionstrategies/DET0063' },
  });
  test.same(
    attack.analytics.map(({ id, platform, logSources, elements }) => [
      id,
      platform,
      logSources.length,
      elements.length,
    ]),
    [
      ['AN0172', 'windows', 2, 5],
      ['AN0173', 'macos', 3, 3],
      ['AN0174', 'linux', 2, 3],
      ['AN0175', 'esxi', 2, 3],
    ],
  );
  const syslog = attack.analytics[2]?.logSources[1];
  test.same(syslog, {
    ref: 'linux:syslog//var/log/syslog',
    name: 'linux:syslog',
    channel: '/var/log/syslog',
    dataComponent: { id: 'DC0029', name: 'Script Execution' },
  });
  test.end();
});

t.test('attack: official and supplementary log sources never overlap', (test) => {
  for (const { id, logSources, supplementary } of attack.analytics) {
    const official = new Set(logSources.map(({ ref }) => ref));
    test.ok(supplementary.length > 0, id);
    test.notOk(
      supplementary.some(({ ref }) => official.has(ref)),
      id,
    );
  }
  test.end();
});

t.test('attack: the folder carries the notice and licence of MITRE', (test) => {
  const notice = readProjectFile('scenarios/attack/NOTICE');
  for (const sentence of [
    attack.notice.slice(0, 30),
    'The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free license to use ATT&CK',
    'MITRE does not claim ATT&CK enumerates all possibilities',
    'THE INFORMATION CONTAINED THEREIN ARE PROVIDED ON AN "AS IS" BASIS',
    'det0063.yaml',
    'data-components.yaml',
  ])
    test.ok(notice.includes(sentence), sentence);
  test.end();
});

t.test('attack: facts that were changed by accident are refused', async (test) => {
  const facts = readProjectFile('scenarios/attack/det0063.yaml');
  const components = readProjectFile('scenarios/attack/data-components.yaml');
  const codesOf = async (changedFacts: string, changedComponents: string): Promise<readonly string[]> => {
    const folder = test.testdir({ 'det0063.yaml': changedFacts, 'data-components.yaml': changedComponents });
    const loaded = await loadAttack(folder);
    return loaded.is === 'refused' ? loaded.problems.map(({ code }) => code) : [];
  };
  test.same(await codesOf(facts, components), []);
  const elementLine = /\n {6}- \{ field: HostUser[^\n]*/.exec(facts)?.[0] ?? '';
  for (const [from, to, ...codes] of [
    ['id: AN0172\n', 'id: AN172\n', 'VALUE_INVALID'],
    ['id: AN0172\n', 'id: AN0173\n', 'ATTACK_REFERENCE', 'ATTACK_DUPLICATE'],
    ['platform: windows', 'platform: linux', 'ATTACK_DUPLICATE'],
    ['id: T1059.006', 'id: T1059.007', 'ATTACK_REFERENCE'],
    [elementLine, '', 'ATTACK_COUNT'],
    ['field: HostUser', 'field: InstallPath', 'ATTACK_DUPLICATE'],
    ['{ name: auditd:SYSCALL, channel: execve,', '{ name: auditd:SYSCALL, channel: exec,', 'ATTACK_MEMBERSHIP'],
    ['channel: connect, dataComponents: [DC0082]', 'channel: connect, dataComponents: [DC0078]', 'ATTACK_MEMBERSHIP'],
    ['channel: connect, dataComponents: [DC0082]', 'channel: execve, dataComponents: [DC0032]', 'ATTACK_DUPLICATE'],
    ['name: linux:syslog,', 'name: linux/syslog,', 'VALUE_INVALID'],
  ] as const)
    test.same(await codesOf(edited(facts, from, to), components), codes, `${from} → ${to}`);
  test.same(
    await codesOf(
      facts,
      edited(components, '- { name: auditd:SYSCALL, channel: execve }', '- { name: x, channel: y }'),
    ),
    ['ATTACK_MEMBERSHIP'],
  );
  test.same(await codesOf(facts, ''), ['YAML_EMPTY']);
});

type OracleFacts = {
  readonly technique: { readonly id: string; readonly name: string; readonly tactic: string };
  readonly strategy: { readonly id: string; readonly name: string; readonly url: string };
  readonly analytics: readonly {
    readonly id: string;
    readonly platform: string;
    readonly url: string;
    readonly log_sources: readonly {
      readonly data_component_id: string;
      readonly data_component: string;
      readonly name: string;
      readonly channel: string;
    }[];
    readonly mutable_elements: readonly string[];
  }[];
};

type StixObject = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly external_references?: readonly {
    readonly source_name: string;
    readonly external_id?: string;
    readonly url?: string;
  }[];
  readonly x_mitre_platforms?: readonly string[];
  readonly x_mitre_analytic_refs?: readonly string[];
  readonly x_mitre_log_source_references?: readonly {
    readonly x_mitre_data_component_ref: string;
    readonly name: string;
    readonly channel: string;
  }[];
  readonly x_mitre_mutable_elements?: readonly { readonly field: string }[];
  readonly x_mitre_log_sources?: readonly { readonly name: string; readonly channel: string }[];
};

/** Content without what releases change for no reason: order, dates, versions, addresses of data components. */
function normalised(facts: AttackFacts): unknown {
  return {
    strategy: [facts.strategy.id, facts.strategy.name, facts.strategy.url, facts.technique.id, facts.technique.name],
    analytics: facts.analytics.map(({ id, platform, url, logSources, elements }) => ({
      id,
      platform,
      url,
      sources: logSources
        .map(({ name, channel, dataComponent }) => [dataComponent.id, dataComponent.name, name, channel].join('|'))
        .sort(),
      elements: elements.map(({ field }) => field).sort(),
    })),
  };
}

const oracles = `${project}../shared/oracles/attack/`;
const missing = existsSync(oracles) ? false : `${oracles} is not here`;

t.test('attack: the pinned facts are those of the extract', { skip: missing }, (test) => {
  const oracle = JSON.parse(readFileSync(`${oracles}det0063.json`, 'utf8')) as OracleFacts;
  const { strategy, technique } = oracle;
  test.same(normalised(attack), {
    strategy: [strategy.id, strategy.name, strategy.url, technique.id, technique.name],
    analytics: oracle.analytics.map((analytic) => ({
      id: analytic.id,
      platform: analytic.platform.toLowerCase(),
      url: analytic.url,
      sources: analytic.log_sources
        .map((source) => [source.data_component_id, source.data_component, source.name, source.channel].join('|'))
        .sort(),
      elements: [...analytic.mutable_elements].sort(),
    })),
  });
  test.equal(attack.technique.tactic, technique.tactic);
  test.end();
});

t.test('attack: the pinned facts are those of the STIX bundle', { skip: missing }, (test) => {
  const bundle = JSON.parse(readFileSync(`${oracles}det0063-bundle.json`, 'utf8')) as {
    readonly objects: readonly StixObject[];
  };
  const byId = new Map(bundle.objects.map((object) => [object.id, object]));
  const own = (object: StixObject | undefined) =>
    object?.external_references?.find(({ source_name }) => source_name === 'mitre-attack');
  const strategy = bundle.objects.find(({ type }) => type === 'x-mitre-detection-strategy');
  const detects = bundle.objects.find((object) => object.relationship_type === 'detects');
  const technique = byId.get(String(detects?.target_ref));
  test.same(normalised(attack), {
    strategy: [
      own(strategy)?.external_id,
      strategy?.name,
      own(strategy)?.url,
      own(technique)?.external_id,
      technique?.name,
    ],
    analytics: (strategy?.x_mitre_analytic_refs ?? []).map((ref) => {
      const analytic = byId.get(ref);
      return {
        id: own(analytic)?.external_id,
        platform: analytic?.x_mitre_platforms?.join().toLowerCase(),
        url: own(analytic)?.url,
        sources: (analytic?.x_mitre_log_source_references ?? [])
          .map(({ x_mitre_data_component_ref, name, channel }) => {
            const component = byId.get(x_mitre_data_component_ref);
            test.ok(
              component?.x_mitre_log_sources?.some((pair) => pair.name === name && pair.channel === channel),
              `${name}/${channel} is a member of its data component`,
            );
            return [own(component)?.external_id, component?.name, name, channel].join('|');
          })
          .sort(),
        elements: (analytic?.x_mitre_mutable_elements ?? []).map(({ field }) => field).sort(),
      };
    }),
  });
  const pinned =
    readProjectFile('scenarios/attack/det0063.yaml') + readProjectFile('scenarios/attack/data-components.yaml');
  for (const { id, type } of bundle.objects)
    if (type.startsWith('x-mitre-') || id === technique?.id) test.ok(pinned.includes(id), id);
  test.end();
});
