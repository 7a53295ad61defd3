import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadAttack } from '../../runner/load/attack.ts';
import { referenceRules, scenariosFolder, shippedScenarios } from './library.ts';
import { generatedBelow, libraryPage } from './library-page.ts';

const file = join(import.meta.dirname, '../../docs/scenarios.md');

t.test('docs/scenarios.md: is what the files say now (write it anew with TAP_SNAPSHOT=1)', async (t) => {
  const attack = await loadAttack(join(scenariosFolder, 'attack'));
  if (attack.is === 'refused') throw new Error('the facts of ATT&CK do not load');
  const scenarios = await shippedScenarios();
  const page = libraryPage(scenarios, attack.value.analytics, referenceRules());
  const [guide = ''] = readFileSync(file, 'utf8').split(generatedBelow);
  const whole = `${guide.trimEnd()}\n\n${generatedBelow}\n\n${page}`;
  if (process.env.TAP_SNAPSHOT === '1') writeFileSync(file, whole);
  t.equal(readFileSync(file, 'utf8'), whole);
  for (const { id } of scenarios) t.ok(page.includes(`\`${id}\``), id);
});
