import { createHash } from 'node:crypto';
import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type { Execution, ReceiptLine } from '../../runner/domain/execution.ts';
import type { PlannedExecution } from '../../runner/domain/plan.ts';
import type { ContextField } from '../../runner/domain/scenario.ts';
import { duration, instant, type Instant, shift } from '../../runner/domain/time.ts';

/** Keeps texts as evidence, the way a run's excerpts do. */
export class Excerpts {
  readonly byHash: Record<string, { text: string; cut: boolean }> = {};

  keep(text: string, mediaType = 'application/json', cut = false): EvidenceRef {
    const sha256 = createHash('sha256').update(text).digest('hex');
    this.byHash[sha256] = { text, cut };
    return { sha256, bytes: Buffer.byteLength(text), mediaType };
  }
}

export const opened = instant(Date.UTC(2026, 10, 24, 2, 0, 0));
const letters = (text: string, length: number): string =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)))
    .slice(0, length);
const markerOf = (execution: string): string => letters(execution, 24);

export type Spec = {
  readonly scenario: string;
  readonly title: string;
  readonly element?: string;
  readonly variant?: string;
  readonly purpose: PlannedExecution['purpose'];
  readonly rule?: string;
  readonly stance?: PlannedExecution['expect'][number]['stance'];
  readonly because?: string;
  readonly context?: readonly ContextField[];
};

export function planned(
  spec: Spec,
  target: string,
  account: string,
  siems: readonly string[],
  edge?: 'before' | 'after',
): PlannedExecution {
  const phase =
    spec.purpose === 'twin' ? 'twins' : spec.purpose === 'emulation' ? 'emulations' : `control-${edge ?? 'before'}`;
  const stance = spec.stance ?? (spec.purpose === 'emulation' ? 'must-alert' : 'must-stay-quiet');
  return {
    id: `${target}/${account}/${spec.scenario}${spec.variant === undefined ? '' : `@${spec.variant}`}${edge === undefined ? '' : `#${edge}`}`,
    phase: phase as PlannedExecution['phase'],
    purpose: spec.purpose,
    scenario: spec.scenario,
    ...(spec.variant === undefined ? {} : { variant: spec.variant }),
    title: spec.title,
    analytic: spec.scenario.startsWith('windows/') ? 'AN0172' : 'AN0174',
    ...(spec.element === undefined ? {} : { element: spec.element }),
    target,
    account,
    channel: 'exec',
    steps: [
      {
        script: 'receipt.py',
        at: '/tmp/{{run}}/.cache/run.py',
        args: ['{{marker}}'],
        interpreter: 'plain',
        invocation: 'file',
        via: 'session',
        timeout: duration(30_000),
      },
    ],
    creates: ['/tmp/{{run}}'],
    expect: siems.map((siem) => ({
      siem,
      sources: ['auditd:SYSCALL/execve'],
      context: spec.context ?? ['process', 'command-line', 'parent', 'user', 'host', 'script'],
      eventWithin: duration(60_000),
      rules: spec.rule === undefined ? [] : [spec.rule],
      alertWithin: duration(300_000),
      observeFor: duration(600_000),
      stance,
      ...(spec.because === undefined
        ? {}
        : { because: spec.because, owner: 'detection-engineering', until: '2027-01-31' }),
      attribution: 'exact',
    })),
  };
}

/** A finished execution on its target; `index` spreads the start times. */
export function executed(
  plan: PlannedExecution,
  index: number,
  excerpts: Excerpts,
): Execution & { finished: ReceiptLine } {
  const marker = markerOf(plan.id);
  const run = `w${letters(`run ${plan.id}`, 7)}`;
  const at = shift(opened, 20_000 + index * 1_500);
  const script = `/tmp/${run}/.cache/run.py`;
  const line = (receipt: ReceiptLine['receipt'], time: Instant): ReceiptLine => ({
    receipt,
    marker,
    pid: 41_000 + index,
    ppid: 40_990 + index,
    parentExecutable: '/usr/bin/dash',
    argv: ['/usr/bin/python3.11', script, marker],
    executable: '/usr/bin/python3.11',
    script,
    cwd: `/home/${plan.account}`,
    user: plan.account,
    host: plan.target,
    time,
    version: '3.11.2',
    sha256: createHash('sha256').update('receipt.py').digest('hex'),
    ...(receipt === 'finished' ? { did: 'printed the receipt' } : {}),
  });
  const started = line('started', at);
  const finished = line('finished', shift(at, 24));
  const receipt = excerpts.keep(`${JSON.stringify(started)}\n${JSON.stringify(finished)}\n`, 'application/x-ndjson');
  const empty = excerpts.keep('', 'text/plain');
  const command = (purpose: string, sent: string, from: number, to: number, stdout = empty) => ({
    purpose,
    channel: plan.channel,
    sent,
    exit: { kind: 'code' as const, code: 0 },
    stdout,
    stderr: empty,
    truncated: false,
    startedAt: shift(at, from),
    endedAt: shift(at, to),
  });
  return {
    execution: plan.id,
    marker,
    run,
    startedAt: shift(at, -120),
    endedAt: shift(at, 210),
    outcome: { kind: 'finished' },
    commands: [
      command('upload', `mkdir -m 700 -- '/tmp/${run}' '/tmp/${run}/.cache'`, -110, -20),
      command('step 1', `'/usr/bin/python3.11' '${script}' '${marker}'`, -10, 60, receipt),
      command('clean-up', `rm -rf -- '/tmp/${run}'`, 90, 180),
    ],
    receipt: { started, finished, evidence: receipt },
    clock: { offsetMs: 3, uncertaintyMs: 12 },
    cleanup: { done: [`removed /tmp/${run}`, `no process carries ${marker}`], leftBehind: [] },
    finished,
  };
}
