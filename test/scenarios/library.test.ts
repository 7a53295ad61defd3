import { join } from 'node:path';
import t from 'tap';
import { loadAttack } from '../../runner/load/attack.ts';
import { type Form, formsOf, matcherOf, referenceRules, scenariosFolder, shippedScenarios } from './library.ts';

const scenarios = await shippedScenarios();
const attack = await loadAttack(join(scenariosFolder, 'attack'));
const analytics = attack.is === 'loaded' ? attack.value.analytics : [];
const emulations = scenarios.filter(({ purpose }) => purpose === 'emulation');
const twins = scenarios.filter(({ purpose }) => purpose === 'twin');
const controls = scenarios.filter(({ purpose }) => purpose === 'control');
const rules = referenceRules();

/** Fire on how a scenario reaches ESXi, so they say nothing about Python. */
const remoteAccessRules = ['esxi-command-over-ssh', 'esxi-ssh-login'];

/** Groups, software and campaigns that ATT&CK v19.1 ties to Python: the procedure examples of T1059.006, and who used what is in them. */
const procedures = new Set(
  (
    'G0010 G0016 G0034 G0035 G0045 G0060 G0067 G0069 G0087 G0094 G0095 G0106 G0114 G0128 G0131 G1006 G1021 G1039 G1047 G1048 ' +
    'G1052 G1055 S0154 S0192 S0196 S0234 S0276 S0332 S0369 S0374 S0377 S0387 S0409 S0428 S0459 S0482 S0492 S0547 S0581 S0583 ' +
    'S0631 S0647 S0681 S0692 S0695 S1032 S1035 S1089 S1120 S1164 S1187 S1189 S1213 S1217 S1218 S1223 S1245 S1246 S9013 S9024 ' +
    'S9035 C0014 C0029 C0045 C0059'
  ).split(' '),
);

t.test('library: each of the 14 elements has three emulations and a twin', (t) => {
  t.equal(analytics.flatMap(({ elements }) => elements).length, 14);
  for (const { id, elements } of analytics)
    for (const { field } of elements) {
      const of = (some: typeof scenarios): number =>
        some.filter(({ analytic, element }) => analytic === id && element === field).length;
      t.ok(of(emulations) >= 3, `${id} ${field}: ${of(emulations)} emulations`);
      t.ok(of(twins) >= 1, `${id} ${field}: ${of(twins)} twins`);
    }
  t.end();
});

t.test(
  'library: emulations name what they stand for; all say why they do no harm and which sources could show them',
  (t) => {
    const techniqueIds = /\b(?:[GS]\d{4}|C\d{4})\b/g;
    for (const { id, why } of emulations)
      for (const name of why.match(techniqueIds) ?? ['none'])
        t.ok(procedures.has(name), `${id}: ${name} is a procedure example of T1059.006`);
    for (const { id, purpose, analytic, harmless, couldShow, expect } of scenarios) {
      if (purpose === 'control') continue;
      t.match(harmless, /^\S.*\.$/s, `${id} says why it is harmless`);
      const own = analytics.find((one) => one.id === analytic);
      const known = [...(own?.logSources ?? []), ...(own?.supplementary ?? [])].map(({ ref }) => ref);
      t.same(
        couldShow.filter((source) => !known.includes(source)),
        [],
        `${id}: the sources are ${analytic}'s`,
      );
      t.same(
        couldShow.filter((source) => expect.event.sources.includes(source)),
        [],
        `${id}: what is expected is not told twice`,
      );
      const all = [...couldShow, ...expect.event.sources];
      t.ok(
        all.some((source) => own?.logSources.some(({ ref }) => ref === source)),
        `${id} names an official source`,
      );
    }
    t.end();
  },
);

t.test('library: variants cover every interpreter, invocation and way to start, and some are honest gaps', (t) => {
  const steps = formsOf(emulations).flatMap((form) => form.steps);
  const values = (of: (step: Form['steps'][number]) => string): readonly string[] => [...new Set(steps.map(of))].sort();
  t.same(
    values(({ interpreter }) => interpreter),
    ['plain', 'renamed', 'shebang', 'symlink'],
  );
  t.same(
    values(({ invocation }) => invocation),
    ['-c', 'executable', 'file', 'module', 'pyc', 'stdin', 'zipapp'],
  );
  t.same(
    values(({ via }) => via),
    ['cron', 'launchd', 'session', 'task'],
  );
  for (const { id, platform } of analytics) {
    const gaps = formsOf(emulations).filter(
      ({ scenario, expect }) => scenario.platform === platform && expect.alert.stance === 'known-gap',
    );
    t.ok(gaps.length > 0, `${id}: ${gaps.length} known gaps`);
  }
  t.ok(
    emulations.every(({ expect }) => expect.alert.stance === 'must-alert'),
    'in its plain form every emulation is to be seen',
  );
  t.end();
});

t.test('library: twins reach over the same channel as their emulation', (t) => {
  for (const { id, twinOf, channel, element, steps } of twins) {
    const of = emulations.find((emulation) => emulation.id === twinOf);
    t.equal(of?.channel, channel, `${id} has the channel of ${String(twinOf)}`);
    t.equal(of?.element, element, `${id} has the element of ${String(twinOf)}`);
    t.equal(of?.steps[0].via, steps[0].via, `${id} is started by what starts ${String(twinOf)}`);
  }
  t.end();
});

t.test(
  'library: every log source that a scenario asks has a control for its channel, which is the harness alone',
  (t) => {
    for (const { id, platform, channel, expect } of [...emulations, ...twins])
      for (const source of expect.event.sources)
        t.ok(
          controls.some(
            (control) =>
              control.platform === platform &&
              (control.channel === 'any' || control.channel === channel) &&
              control.expect.event.sources.includes(source),
          ),
          `${id}: ${source} over ${channel}`,
        );
    for (const { id, platform, expect } of [...emulations, ...twins].filter(
      (scenario) => scenario.expect.file !== undefined,
    ))
      t.ok(
        controls.some((control) =>
          control.expect.file?.sources.some(
            (source) => control.platform === platform && expect.file?.sources.includes(source),
          ),
        ),
        `${id}: the creation of a file`,
      );
    for (const { id, creates, steps } of controls)
      t.same(
        { creates, at: steps[0].at.replaceAll('\\', '/') },
        { creates: [], at: '{{home}}/{{run}}/run.py' },
        `${id} stays in the run folder`,
      );
    t.end();
  },
);

t.test('rules: of Sigma form, run by the SIEM, each needed by an emulation', (t) => {
  t.ok(matcherOf(rules));
  t.equal(new Set(rules.map(({ id }) => id)).size, rules.length, 'ids are unique');
  t.equal(new Set(rules.map(({ title }) => title)).size, rules.length, 'titles are unique');
  const named = new Set(formsOf(emulations).flatMap(({ expect }) => expect.alert.rules));
  for (const rule of rules) {
    const { file, title, description, level, tags, falsepositives, references, logsource } = rule;
    t.equal(named.has(file), !remoteAccessRules.includes(file), `${file} is expected by an emulation`);
    t.match(file, /^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'named as scenarios name it');
    t.notMatch(title.replace(/^macOS/, ''), /\b[a-z]{4,}\b/, `${title}: in title case`);
    t.ok((description ?? '').length > 100, 'says what it looks for and why');
    t.ok(['low', 'medium', 'high'].includes(level), 'of a level that a single event can have');
    t.equal(
      tags.includes('attack.t1059.006') && tags.includes('attack.execution'),
      !remoteAccessRules.includes(file),
      `${file} is tagged with the technique`,
    );
    t.ok(falsepositives.length > 0, 'says what else it fires on');
    const analytic = analytics.find(({ platform }) => platform === logsource.product);
    t.ok(
      references.some((reference) => reference.endsWith(`DET0063#${analytic?.id ?? '?'}`)),
      'points to the analytic of its platform',
    );
  }
  t.end();
});
