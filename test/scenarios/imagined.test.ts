import { randomInt, randomUUID } from 'node:crypto';
import t from 'tap';
import { imaginedEvents, type Names } from './imagined-events.ts';
import { type Form, formsOf, isAboutPython, matcherOf, referenceRules, shippedScenarios } from './library.ts';

const scenarios = await shippedScenarios();
const rules = referenceRules();
const matcher = matcherOf(rules);
/** The others fire on how the host is reached, on a control as well. */
const aboutPython = new Set(rules.filter(isAboutPython).map(({ file }) => file));
/** Of Linux there are recordings (replay.test.ts), which know its connections and cron as well. */
const forms = formsOf(scenarios.filter(({ platform }) => platform !== 'linux'));

function letters(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + randomInt(26))).join('');
}

function asOurs(): Names {
  return {
    marker: `${letters(4)}${randomInt(1e9, 1e10)}${letters(10)}`,
    run: `${letters(6)}${randomInt(100, 1000)}${letters(3)}`,
    alias: letters(8),
  };
}

function unlikeOurs({ scenario }: Form): Names {
  return {
    marker: randomUUID().toUpperCase(),
    run: `Report-${randomInt(2000, 2030)}_v${randomInt(1, 9)}`,
    alias: `Monthly_Summary${randomInt(1, 1000)}`,
    // Where the name of the script is what is exercised, it is no name of ours.
    ...(scenario.element === 'ScriptName' ? {} : { file: `Monthly_Summary${randomInt(1, 1000)}` }),
  };
}

function alertsOf(form: Form, names: Names): readonly string[] {
  const events = imaginedEvents(form, names);
  const alerts = events.flatMap((event) => matcher.match(event as Readonly<Record<string, unknown>>));
  return [...new Set(alerts.map(({ rule }) => rule.file))].sort();
}

t.test(
  'rules: on what a form would leave, one that it expects fires; on gaps, twins and controls none that is about Python',
  (t) => {
    for (const form of forms) {
      const { alert } = form.expect;
      const fired = alertsOf(form, asOurs());
      if (alert.stance === 'must-alert')
        t.ok(
          alert.rules.some((rule) => fired.includes(rule)),
          `${form.name}: one of ${alert.rules.join(', ')}; fired: ${fired.join(', ')}`,
        );
      else
        t.same(
          fired.filter((rule) => aboutPython.has(rule)),
          [],
          `${form.name} (${alert.stance})`,
        );
    }
    t.end();
  },
);

t.test('rules: each that a scenario names fires for it, and each is needed', (t) => {
  const fired = new Set(forms.flatMap((form) => alertsOf(form, asOurs())));
  const named = new Set(
    forms.flatMap(({ expect }) => (expect.alert.stance === 'must-alert' ? expect.alert.rules : [])),
  );
  t.same(
    [...named].filter((rule) => !fired.has(rule)),
    [],
    'rules that are named and never fire',
  );
  t.end();
});

t.test('rules: marker, run folder, payload and alias called otherwise, the same alerts', (t) => {
  for (const form of forms) t.same(alertsOf(form, unlikeOurs(form)), alertsOf(form, asOurs()), form.name);
  t.end();
});
