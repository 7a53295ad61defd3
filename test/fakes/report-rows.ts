import type { Score, VerdictKind } from '../../runner/domain/verdict.ts';
import type { Spec } from './executions.ts';

type Told = readonly [VerdictKind, Score?];
export type Row = Spec & { readonly on: Readonly<Record<string, Told>> };

const dir = { element: 'ScriptDir', purpose: 'emulation' } as const;
const cron = { element: 'ScheduledContext', purpose: 'emulation' } as const;
const net = { element: 'NetworkActivity', purpose: 'emulation' } as const;

/** What the two lab hosts and the stand-in told: every verdict kind, every score, a few hostile names. */
export const allRows: readonly Row[] = [
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['detected'], 'lab-b': ['detected'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'interpreter=renamed',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['logged', 'worse'], 'lab-b': ['logged', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'invocation=stdin',
    rule: 'python-script-in-tmp',
    stance: 'known-gap',
    because: 'no script path exists',
    context: ['process', 'command-line', 'parent', 'user', 'host'],
    on: { 'lab-a': ['logged'], 'lab-b': ['logged'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'invocation=zipapp',
    rule: 'python-script-in-tmp',
    stance: 'known-gap',
    because: 'the rule looks for .py',
    on: { 'lab-a': ['detected', 'better'], 'lab-b': ['logged'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-hidden-directory',
    title: 'Run a script from a hidden directory under /tmp',
    rule: 'python-script-in-hidden-directory',
    on: { 'lab-a': ['detected-late', 'worse'], 'lab-b': ['missed', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-dev-shm',
    title: 'Run a script from /dev/shm',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['logged-thin', 'worse'], 'lab-b': ['recorded-only', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-on-noexec-mount',
    title: 'Start a script by its first line on a noexec mount',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['prevented'], 'lab-b': ['not-run', 'inconclusive'] },
  },
  {
    ...cron,
    scenario: 'linux/one-shot-cron-entry',
    title: 'Run a script once from a user crontab',
    rule: 'python-from-cron',
    on: { 'lab-a': ['detected'], 'lab-b': ['blind', 'worse'] },
  },
  {
    ...net,
    scenario: 'linux/http-get-loopback',
    title: 'Fetch a page over HTTP from a loopback server',
    rule: 'python-http-client',
    on: { 'lab-a': ['inconclusive', 'inconclusive'], 'lab-b': ['inconclusive', 'inconclusive'] },
  },
  {
    purpose: 'emulation',
    element: 'ScriptPath',
    scenario: 'windows/script-in-temp',
    title: 'Run a script from %TEMP%',
    rule: 'python-script-in-temp',
    on: { 'stand-in-win': ['detected'] },
  },
  {
    purpose: 'twin',
    element: 'ScriptDir',
    scenario: 'linux/twin-ansible-module',
    title: 'Run an Ansible module from its temporary folder',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['quiet'], 'lab-b': ['noisy', 'worse'] },
  },
  {
    purpose: 'twin',
    element: 'NetworkActivity',
    scenario: 'linux/twin-package-download',
    title: 'Download a package index with pip',
    rule: 'python-http-client',
    on: { 'lab-a': ['quiet'], 'lab-b': ['blind', 'worse'] },
  },
  {
    purpose: 'control',
    scenario: 'linux/control-execve',
    title: 'Run the harness with an inert body',
    on: { 'lab-a': ['clean'], 'lab-b': ['harness-visible', 'worse'] },
  },
];
