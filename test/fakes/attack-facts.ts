import { fileURLToPath } from 'node:url';
import { loadAttack } from '../../runner/load/attack.ts';
import { formatProblem } from '../../runner/load/problem.ts';

const attack = await loadAttack(fileURLToPath(new URL('../../scenarios/attack', import.meta.url)));
if (attack.is === 'refused') throw new Error(attack.problems.map(formatProblem).join('\n'));

/** The facts that detproof ships: 4 analytics, 9 official log source references, 14 elements. */
export const attackFacts = attack.value;
