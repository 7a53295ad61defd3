import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AttackFacts } from '../../runner/domain/attack.ts';
import { loadAttack } from '../../runner/load/attack.ts';
import type { Plugins } from '../../runner/load/plugin-settings.ts';
import { formatProblem, type Problem } from '../../runner/load/problem.ts';
import { readScenario, type ScenarioContext } from '../../runner/load/scenario.ts';
import { readInventory } from '../../runner/load/inventory.ts';
import type { InventoryReferences } from '../../runner/load/inventory-checks.ts';
import { readYaml } from '../../runner/load/yaml-file.ts';
import { z } from 'zod';

export const project = fileURLToPath(new URL('../../', import.meta.url));

export async function pinnedAttack(): Promise<AttackFacts> {
  const attack = await loadAttack(`${project}scenarios/attack`);
  if (attack.is === 'loaded') return attack.value;
  throw new Error(attack.problems.map(formatProblem).join('\n'));
}

/** A valid scenario, in which the tests break one thing at a time. */
export const scenarioText = `title: Run a script from a hidden directory
analytic: AN0174
element: ScriptDir
purpose: emulation
why: a hidden folder is where such files land
steps:
  - python: { script: receipt.py, at: '/tmp/{{run}}/.cache/run.py', args: ['{{marker}}'] }
    timeout: 30s
creates: ['/tmp/{{run}}']
variants:
  - { interpreter: renamed }
  - invocation: stdin
    context: [process, user]
    stance: known-gap
    because: no path exists
    owner: detection engineering
expect:
  event:
    sources: ['auditd:SYSCALL/execve']
    within: 60s
    context: [process, command-line, script]
  alert: { rule: hidden-directory, within: 5m, stance: must-alert }
`;

export function scenarioContext(attack: AttackFacts): ScenarioContext {
  return {
    id: 'linux/x',
    platform: 'linux',
    attack,
    detections: new Set(['hidden-directory', 'other-rule']),
    payloads: new Set(['receipt.py', 'loopback-http.py']),
  };
}

export function readScenarioText(text: string | Uint8Array, context: ScenarioContext): ReturnType<typeof readScenario> {
  const { source, problems } = readYaml(toBytes(text), 'scenarios/linux/x.yaml');
  if (source === undefined) return { problems };
  const read = readScenario(source, context);
  return problems.length === 0 ? read : { problems: [...problems, ...read.problems] };
}

const secretRef = z.string().regex(/^(?:env|file|exec):./, 'write a reference: env:NAME, file:PATH or exec:COMMAND');
const open = (): never => {
  throw new Error('a loader opens nothing');
};

/** Plug-ins with each shape of settings that a real one has. */
export const plugins: Plugins = {
  transports: new Map([
    [
      'ssh',
      {
        kind: 'ssh',
        summary: 'SSH',
        settings: z.strictObject({
          port: z.int().min(1).default(22),
          knownHosts: z.union([z.string(), z.array(z.string())]),
        }),
        account: z
          .strictObject({ key: secretRef.optional(), agent: z.union([z.literal(true), secretRef]).optional() })
          .refine(({ key, agent }) => (key === undefined) !== (agent === undefined), 'give one of key and agent'),
        channels: ['exec', 'shell'],
        open,
      },
    ],
  ]),
  siems: new Map([
    [
      'http',
      {
        kind: 'http',
        summary: 'a SIEM that is asked over HTTP',
        settings: z.strictObject({
          url: z.url(),
          token: secretRef,
          headers: z.record(z.string(), z.string()).default({}),
        }),
        open,
      },
    ],
  ]),
};

/** A valid inventory, half of it in flow style and half in block style. */
export const inventoryText = `engagement:
  id: purple-2026
  authorizedBy: J. Doe
  contacts: [soc@example.com]
  changeTicket: CHG-1
  neverTouch: [dc01.example.com]
windows:
  - id: nights
    groups: [web]
    weekly: { days: [mon, tue], from: '22:00', to: '04:00', timeZone: Europe/Berlin }
    freezes:
      - { from: 2026-12-20T00:00:00Z, to: 2027-01-06T00:00:00Z, because: year end }
  - id: once
    groups: [batch]
    span: { from: 2026-11-24T00:00:00Z, to: 2026-11-25T00:00:00+01:00 }
    cleanupReserve: 10m
targets:
  - id: web01
    platform: linux
    address: 192.0.2.1
    transport: { kind: ssh, port: 2222, knownHosts: known_hosts }
    accounts:
      - { name: alice, key: 'file:keys/alice' }
    interpreter: /usr/bin/python3
    groups: [web]
    role: web-server
    owner: platform team
    criticality: high
    zone: dmz
    names: { main: [web01, web01.example.com] }
    fidelity: real
    parallel: 2
  - id: batch01
    platform: linux
    address: batch01.example.com
    transport:
      kind: ssh
      knownHosts: [known_hosts, more_hosts]
    accounts:
      - name: bob
        key: env:BOB_KEY
      - name: carol
        agent: true
    interpreter: /usr/bin/python3
    groups: [batch]
    role: batch-worker
    owner: data team
    criticality: low
    zone: core
    names:
      main: [batch01]
    fidelity: stand-in
siems:
  - id: main
    kind: http
    url: https://siem.example.com/
    token: env:SIEM_TOKEN
expectations:
  - scenarios: ['*']
    within: 10m
    observeFor: 20m
  - scenarios: [linux/x]
    roles: [web-server]
    siems: [main]
    rule: site-rule-7
    stance: known-gap
    because: sensor is not rolled out yet
    owner: SOC
    until: 2026-12-31
limits: { hosts: 4, perZone: 2 }
`;

export function readInventoryText(
  text: string | Uint8Array,
  references: InventoryReferences = {},
): ReturnType<typeof readInventory> {
  const { source, problems } = readYaml(toBytes(text), 'inventory.yaml');
  if (source === undefined) return { problems };
  const read = readInventory(source, plugins, references);
  return problems.length === 0 ? read : { problems: [...problems, ...read.problems] };
}

/** Replaces exactly one occurrence; a test whose edit no longer fits its text fails. */
export function edited(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`${JSON.stringify(from)} does not occur exactly once`);
  return text.replace(from, () => to);
}

/** `CODE line:col` of each problem, in the order of the lines. */
export function places(problems: readonly Problem[]): readonly string[] {
  return problems
    .toSorted((a, b) => a.line - b.line || a.col - b.col)
    .map(({ code, line, col }) => `${code} ${line}:${col}`);
}

function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : text;
}

export function readProjectFile(path: string): string {
  return readFileSync(`${project}${path}`, 'utf8');
}
