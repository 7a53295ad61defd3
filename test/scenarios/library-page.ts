import type { Analytic } from '../../runner/domain/attack.ts';
import type { Scenario, Variant } from '../../runner/domain/scenario.ts';
import type { SigmaRule } from '../../lab/sigma/rule.ts';

/** The line of docs/scenarios.md below which everything is made from the files. */
export const generatedBelow =
  '<!-- Made from scenarios/ by the tests: TAP_SNAPSHOT=1 tap test/scenarios/library-page.test.ts -->';

const platformNames = { windows: 'Windows', macos: 'macOS', linux: 'Linux', esxi: 'ESXi' } as const;

/** The library by analytic and element, as Markdown. */
export function libraryPage(
  scenarios: readonly Scenario[],
  analytics: readonly Analytic[],
  rules: readonly SigmaRule[],
): string {
  const count = (purpose: Scenario['purpose']): number => scenarios.filter((one) => one.purpose === purpose).length;
  const variants = scenarios.reduce((sum, one) => sum + one.variants.length, 0);
  const lines = [
    '# The library',
    '',
    `${scenarios.length} scenarios: ${count('emulation')} emulations, ${count('twin')} twins and ${count('control')} controls, with ${variants} variants. ` +
      'Log sources in _italics_ are supplementary: ATT&CK has them, and the analytic does not list them.',
    ...analytics.flatMap((analytic) => section(analytic, scenarios)),
    '',
    '# The reference rules',
    '',
    'Each is in `scenarios/detections`. Their names of folders and accounts are examples: write down your own.',
    '',
    ...rules.map((rule) => ruleLine(rule, scenarios)),
  ];
  return `${lines.join('\n')}\n`;
}

function section(analytic: Analytic, scenarios: readonly Scenario[]): readonly string[] {
  const own = scenarios.filter((one) => one.analytic === analytic.id);
  const controls = own.filter(({ purpose }) => purpose === 'control');
  return [
    '',
    `## ${analytic.id}: ${platformNames[analytic.platform]}`,
    '',
    `${capital(analytic.summary)}.`,
    '',
    'Controls, which show before and after the steps that a log source arrives:',
    '',
    ...controls.map(({ id, title, channel, expect }) => {
      const over = channel === 'any' ? 'every channel' : channel;
      const file = expect.file === undefined ? '' : `, and files by ${sourceList(expect.file.sources, analytic)}`;
      return `- \`${id}\`: ${title}; ${sourceList(expect.event.sources, analytic)}${file}; over ${over}`;
    }),
    ...analytic.elements.flatMap(({ field, gist }) => [
      '',
      `### ${field}`,
      '',
      `${capital(gist)}.`,
      '',
      ...(['emulation', 'twin'] as const).flatMap((purpose) =>
        own.filter((one) => one.purpose === purpose && one.element === field).flatMap((one) => entry(one, analytic)),
      ),
    ]),
  ];
}

function entry(scenario: Scenario, analytic: Analytic): readonly string[] {
  const { id, title, purpose, twinOf, why, harmless, expect, couldShow, variants } = scenario;
  const { sources } = expect.event;
  const how = [
    ...(scenario.channel === 'shell' ? ['typed into a terminal'] : []),
    ...(scenario.account === undefined ? [] : [`by an account of role ${scenario.account}`]),
    ...(scenario.when === undefined
      ? []
      : [scenario.when.replace('-maintenance', ' the maintenance window').replace('in ', 'inside ')]),
  ];
  const what = purpose === 'twin' ? `twin of \`${String(twinOf)}\`` : 'emulation';
  const rulesOf = expect.alert.rules.map((rule) => `\`${rule}\``).join(' or ');
  return [
    `- \`${id}\` (${[what, ...how].join(', ')}): **${title}**`,
    `  - ${capital(why)}${/[.!?]$/.test(why) ? '' : '.'}`,
    `  - Harmless: ${harmless ?? ''}`,
    `  - Sources: asked ${sourceList(sources, analytic)}${expect.file === undefined ? '' : `, and for the new file ${sourceList(expect.file.sources, analytic)}`}; could show it: ${sourceList(couldShow, analytic)}`,
    ...(rulesOf === '' ? [] : [`  - Rule: ${rulesOf}`]),
    ...(variants.length === 0
      ? []
      : [`  - Variants: ${variants.map((variant) => variantText(variant, scenario)).join('; ')}`]),
  ];
}

function variantText({ name, expect }: Variant, { expect: plain }: Scenario): string {
  const { stance, because, rules } = expect.alert;
  if (stance === 'known-gap') return `\`${name}\` is a known gap (${because ?? ''})`;
  return rules.join() === plain.alert.rules.join()
    ? `\`${name}\``
    : `\`${name}\` by ${rules.map((rule) => `\`${rule}\``).join(' or ')}`;
}

function ruleLine({ file, title, level, tags }: SigmaRule, scenarios: readonly Scenario[]): string {
  const fires = scenarios.filter(({ purpose, expect, variants }) =>
    [{ expect }, ...variants].some(
      (form) =>
        purpose === 'emulation' && form.expect.alert.stance === 'must-alert' && form.expect.alert.rules.includes(file),
    ),
  );
  const techniques = tags
    .filter((tag) => /^attack\.t\d/.test(tag))
    .map((tag) => tag.slice('attack.'.length).toUpperCase());
  const names = fires.map(({ id }) => `\`${id}\``).join(', ');
  return `- \`${file}\`: ${title} (${level}; ${techniques.join(', ')})${names === '' ? '' : `; for ${names}`}`;
}

function sourceList(sources: readonly string[], { logSources }: Analytic): string {
  return sources
    .map((source) => (logSources.some(({ ref }) => ref === source) ? `\`${source}\`` : `_\`${source}\`_`))
    .join(', ');
}

function capital(text: string): string {
  return /^\S+\.exe/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
