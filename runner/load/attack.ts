import { join } from 'node:path';
import { z } from 'zod';
import { type Analytic, type AttackFacts, type LogSource, logSourceRef } from '../domain/attack.ts';
import { checkObject } from './check.ts';
import { type Loaded, loaded, type Problem, shown } from './problem.ts';
import { reportOn } from './report-at.ts';
import { line } from './texts.ts';
import type { SourceFile } from './source-file.ts';
import { readYamlFile } from './yaml-file.ts';

const maxBytes = 262_144;
/** DET0063 as published: strategy, analytics, official log source references, mutable elements (ATT&CK v18.0 to v19.2). */
const counts = { analytics: 4, logSources: 9, elements: 14 };

const id = (pattern: RegExp, example: string) => z.string().regex(pattern, `use an ATT&CK id such as ${example}`);
const dataComponentId = id(/^DC\d{4}$/, 'DC0032');
const stixId = (type: string) =>
  z.string().regex(new RegExp(`^${type}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`), `use the STIX id, ${type}--…`);
const attackUrl = z
  .string()
  .regex(/^https:\/\/attack\.mitre\.org\/\S+$/, 'use an address below https://attack.mitre.org/');
const pair = {
  name: line(100).regex(/^[^/]+$/, 'a log source name holds no /, since the first one divides name and channel'),
  channel: line(200),
};
const logSource = z.strictObject({ ...pair, dataComponents: z.array(dataComponentId).min(1) });

const factsFile = z.strictObject({
  version: line(20),
  specVersion: line(20),
  sameIn: z.array(line(20)),
  source: line(200),
  notice: line(200),
  technique: z.strictObject({
    id: id(/^T\d{4}\.\d{3}$/, 'T1059.006'),
    stixId: stixId('attack-pattern'),
    name: line(200),
    tactic: line(50),
  }),
  strategy: z.strictObject({
    id: id(/^DET\d{4}$/, 'DET0063'),
    stixId: stixId('x-mitre-detection-strategy'),
    name: line(200),
    url: attackUrl,
    detects: id(/^T\d{4}\.\d{3}$/, 'T1059.006'),
  }),
  analytics: z.array(
    z.strictObject({
      id: id(/^AN\d{4}$/, 'AN0174'),
      stixId: stixId('x-mitre-analytic'),
      platform: z.enum(['windows', 'macos', 'linux', 'esxi']),
      url: attackUrl,
      summary: line(500),
      logSources: z.array(logSource).min(1),
      supplementary: z.array(logSource),
      elements: z.array(z.strictObject({ field: line(50), gist: line(200) })).min(1),
    }),
  ),
});

const componentsFile = z.strictObject({
  dataComponents: z.array(
    z.strictObject({
      id: dataComponentId,
      stixId: stixId('x-mitre-data-component'),
      name: line(100),
      logSources: z.array(z.strictObject(pair)).min(1),
    }),
  ),
});

type FactsFile = z.output<typeof factsFile>;
type ComponentsFile = z.output<typeof componentsFile>;
type SourceEntry = FactsFile['analytics'][number]['logSources'][number];

/** The pinned facts of DET0063 from `det0063.yaml` and `data-components.yaml` in `folder` (scenarios/attack). */
export async function loadAttack(folder: string): Promise<Loaded<AttackFacts>> {
  const facts = await readFacts(join(folder, 'det0063.yaml'), factsFile);
  const components = await readFacts(join(folder, 'data-components.yaml'), componentsFile);
  const problems = [...facts.problems, ...components.problems];
  if (facts.value === undefined || components.value === undefined || facts.source === undefined)
    return loaded<AttackFacts>(undefined, problems);
  problems.push(...integrityProblems(facts.source, facts.value, components.value));
  return loaded(toAttackFacts(facts.value, components.value), problems);
}

async function readFacts<S extends z.ZodObject>(
  file: string,
  schema: S,
): Promise<{ source?: SourceFile; value?: z.output<S>; problems: readonly Problem[] }> {
  const { source, problems } = await readYamlFile(file, maxBytes);
  if (source === undefined) return { problems };
  const checked = checkObject(source, [], schema);
  return {
    source,
    problems: [...problems, ...checked.problems],
    ...(checked.whole !== undefined && { value: checked.whole }),
  };
}

function integrityProblems(source: SourceFile, facts: FactsFile, components: ComponentsFile): readonly Problem[] {
  const { report, problems } = reportOn(source);
  const actual = {
    analytics: facts.analytics.length,
    logSources: facts.analytics.flatMap((analytic) => analytic.logSources).length,
    elements: facts.analytics.flatMap((analytic) => analytic.elements).length,
  };
  for (const [what, count] of Object.entries(counts))
    if (actual[what as keyof typeof counts] !== count)
      report(['analytics'], 'ATTACK_COUNT', `${actual[what as keyof typeof counts]} ${what}`, `DET0063 has ${count}`);
  if (facts.strategy.detects !== facts.technique.id)
    report(
      ['strategy', 'detects'],
      'ATTACK_REFERENCE',
      facts.strategy.detects,
      `the technique is ${facts.technique.id}`,
    );
  const unique = (key: 'id' | 'platform'): void => {
    for (const [index, analytic] of facts.analytics.entries())
      if (facts.analytics.findIndex((other) => other[key] === analytic[key]) !== index)
        report(['analytics', index, key], 'ATTACK_DUPLICATE', `a second ${analytic[key]}`, 'each is there once');
  };
  unique('id');
  unique('platform');
  for (const [index, analytic] of facts.analytics.entries()) {
    if (analytic.url !== `${facts.strategy.url}#${analytic.id}`)
      report(
        ['analytics', index, 'url'],
        'ATTACK_REFERENCE',
        shown(analytic.url),
        `use ${facts.strategy.url}#${analytic.id}`,
      );
    const fields = analytic.elements.map((element) => element.field);
    for (const [position, field] of fields.entries())
      if (fields.indexOf(field) !== position)
        report(
          ['analytics', index, 'elements', position],
          'ATTACK_DUPLICATE',
          `a second ${field}`,
          'each is there once',
        );
    const seen = new Set<string>();
    for (const list of ['logSources', 'supplementary'] as const)
      for (const [position, entry] of analytic[list].entries()) {
        const path = ['analytics', index, list, position];
        const ref = logSourceRef(entry.name, entry.channel);
        if (seen.has(ref)) report(path, 'ATTACK_DUPLICATE', `a second ${ref}`, 'each log source is there once');
        seen.add(ref);
        for (const component of entry.dataComponents)
          if (!isMember(components, component, entry))
            report(path, 'ATTACK_MEMBERSHIP', `${ref} is not pinned for ${component}`, 'see data-components.yaml');
      }
  }
  return problems;
}

function isMember(components: ComponentsFile, component: string, entry: SourceEntry): boolean {
  return components.dataComponents.some(
    ({ id: known, logSources }) =>
      known === component && logSources.some(({ name, channel }) => name === entry.name && channel === entry.channel),
  );
}

function toAttackFacts(facts: FactsFile, components: ComponentsFile): AttackFacts {
  const names = new Map(components.dataComponents.map(({ id: component, name }) => [component, name]));
  // The first component is the one that a report names; what else a source belongs to stays in the pinned file.
  const toLogSource = ({ name, channel, dataComponents: [component = ''] }: SourceEntry): LogSource => ({
    ref: logSourceRef(name, channel),
    name,
    channel,
    dataComponent: { id: component, name: names.get(component) ?? component },
  });
  const { technique, strategy } = facts;
  return {
    version: facts.version,
    notice: facts.notice,
    technique: { id: technique.id, name: technique.name, tactic: technique.tactic },
    strategy: { id: strategy.id, name: strategy.name, url: strategy.url },
    analytics: facts.analytics.map((analytic): Analytic => ({
      id: analytic.id,
      platform: analytic.platform,
      summary: analytic.summary,
      url: analytic.url,
      logSources: analytic.logSources.map(toLogSource),
      supplementary: analytic.supplementary.map(toLogSource),
      elements: analytic.elements,
    })),
  };
}
