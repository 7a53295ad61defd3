/** `npm run bench [-- --write]`: everything that is measured, side by side in one run; with --write into docs/benchmarks.md. */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchFanOut } from './fan-out.ts';
import { benchWinrmFanOut } from './fan-out-winrm.ts';
import { benchLabRun } from './lab-run.ts';
import { benchScale } from './scale.ts';
import { describe } from './sides.ts';
import { benchSigma } from './sigma.ts';

const machine = `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
const parts: readonly (readonly [string, string, () => Promise<readonly string[]>])[] = [
  [
    'Fan-out',
    'The ssh transport against what an operator would take instead, in one run, alternating: OpenSSH with ControlMaster under xargs, and Ansible.',
    async () => describe(await benchFanOut()),
  ],
  [
    'Fan-out over WinRM',
    'The winrm transport against pywinrm with a thread for each host, in one run, alternating, on the same endpoints: stand-ins, since no Windows is at hand. NTLM, sealed, over plain http. Both start anew each turn, from modules that are already compiled (by Python always, by Node in the folder that detproof names to it).',
    async () => describe(await benchWinrmFanOut()),
  ],
  [
    'Scenarios × targets',
    'A whole run, from its plan to its reports, and how its cost grows with the hosts.',
    benchScale,
  ],
  ['Lab run', 'What a whole run costs above its commands and its waiting.', async () => (await benchLabRun()).lines],
  ['Sigma matcher', 'The matcher of the lab’s SIEM.', async () => (await benchSigma()).lines],
];

const page = [
  '# Benchmarks',
  '',
  `Measured by \`npm run bench -- --write\` on ${machine}. Machines differ: compare within a run, not between pages.`,
];
console.log(machine);
for (const [title, about, measure] of parts) {
  console.log(`\n${title}`);
  const lines = await measure();
  for (const line of lines) console.log(line);
  page.push('', `## ${title}`, '', about, '', '```', ...lines, '```');
}
if (process.argv.includes('--write'))
  writeFileSync(
    join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs/benchmarks.md'),
    `${page.join('\n')}\n`,
  );
