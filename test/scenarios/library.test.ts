import t from 'tap';
import { formsOf, matcherOf, referenceRules, shippedScenarios } from './library.ts';

const scenarios = await shippedScenarios();
const linux = scenarios.filter(({ platform }) => platform === 'linux');
const emulations = linux.filter(({ purpose }) => purpose === 'emulation');
const rules = referenceRules();
const analytics: Readonly<Record<string, string>> = {
  windows: 'AN0172',
  macos: 'AN0173',
  linux: 'AN0174',
  esxi: 'AN0175',
};
/** Fires on what every scenario begins with, so it says nothing about Python. */
const loginRule = 'esxi-ssh-login';

t.test('library: emulations exercise every element of AN0174, with reports to point to', (t) => {
  t.ok(emulations.length >= 12, `${emulations.length} emulations`);
  t.same([...new Set(emulations.map(({ element }) => element))].sort(), [
    'NetworkActivity',
    'ScheduledContext',
    'ScriptDir',
  ]);
  for (const { id, why } of emulations)
    t.match(why, /\b(?:[GS]\d{4}|C\d{4})\b/, `${id} names a group, software or campaign of ATT&CK`);
  t.end();
});

t.test('library: variants cover every interpreter and invocation, and some are honest gaps', (t) => {
  const steps = formsOf(emulations).flatMap((form) => form.steps);
  t.same([...new Set(steps.map(({ interpreter }) => interpreter))].sort(), ['plain', 'renamed', 'shebang', 'symlink']);
  t.same([...new Set(steps.map(({ invocation }) => invocation))].sort(), ['-c', 'file', 'module', 'stdin', 'zipapp']);
  const gaps = formsOf(emulations).filter(({ expect }) => expect.alert.stance === 'known-gap');
  t.ok(gaps.length > 0, `${gaps.length} known gaps`);
  t.ok(
    emulations.every(({ expect }) => expect.alert.stance === 'must-alert'),
    'in its plain form every emulation is to be seen',
  );
  t.end();
});

t.test('library: twins reach over the same channel as their emulation, for every element', (t) => {
  const twins = linux.filter(({ purpose }) => purpose === 'twin');
  t.ok(twins.length >= 4, `${twins.length} twins`);
  t.same([...new Set(twins.map(({ element }) => element))].sort(), [
    'NetworkActivity',
    'ScheduledContext',
    'ScriptDir',
  ]);
  for (const { id, twinOf, channel, element, steps } of twins) {
    const of = emulations.find((emulation) => emulation.id === twinOf);
    t.equal(of?.channel, channel, `${id} has the channel of ${String(twinOf)}`);
    t.equal(of?.element, element, `${id} has the element of ${String(twinOf)}`);
    t.equal(of?.steps[0].via, steps[0].via, `${id} is started by what starts ${String(twinOf)}`);
  }
  t.end();
});

t.test('library: every log source that a scenario asks for has a control, which is the harness alone', (t) => {
  const controls = linux.filter(({ purpose }) => purpose === 'control');
  const proved = new Set(controls.flatMap(({ expect }) => expect.event.sources));
  const asked = new Set(linux.flatMap(({ expect }) => expect.event.sources));
  t.same(
    [...asked].filter((source) => !proved.has(source)),
    [],
  );
  for (const { id, creates, steps } of controls)
    t.same(
      { creates, at: steps[0].at },
      { creates: [], at: '{{home}}/{{run}}/run.py' },
      `${id} stays in the run folder`,
    );
  t.end();
});

t.test('rules: of Sigma form, run by the SIEM, each needed by an emulation', (t) => {
  t.ok(matcherOf(rules));
  t.equal(new Set(rules.map(({ id }) => id)).size, rules.length, 'ids are unique');
  t.equal(new Set(rules.map(({ title }) => title)).size, rules.length, 'titles are unique');
  const named = new Set(
    formsOf(scenarios.filter(({ purpose }) => purpose === 'emulation')).flatMap(({ expect }) => expect.alert.rules),
  );
  for (const rule of rules) {
    const { file, title, description, level, tags, falsepositives, references, logsource } = rule;
    t.equal(named.has(file), file !== loginRule, `${file} is expected by an emulation`);
    t.match(file, /^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'named as scenarios name it');
    t.notMatch(title, /\b[a-z]{4,}\b/, `${title}: in title case`);
    t.ok((description ?? '').length > 100, 'says what it looks for and why');
    t.ok(['low', 'medium', 'high'].includes(level), 'of a level that a single event can have');
    t.equal(
      tags.includes('attack.t1059.006') && tags.includes('attack.execution'),
      file !== loginRule,
      `${file} is tagged with the technique`,
    );
    t.ok(falsepositives.length > 0, 'says what else it fires on');
    t.ok(
      references.some((reference) => reference.endsWith(`DET0063#${analytics[logsource.product ?? ''] ?? '?'}`)),
      'points to the analytic of its platform',
    );
  }
  t.end();
});
