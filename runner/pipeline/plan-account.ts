import { isOpen } from '../domain/authorize.ts';
import type { Account, Inventory, Target } from '../domain/inventory.ts';
import type { LeftOut, Phase, PlannedExecution } from '../domain/plan.ts';
import type { Channel, ChannelAsked, Scenario, Variant } from '../domain/scenario.ts';
import type { Instant } from '../domain/time.ts';
import { expectations } from './expectations.ts';

export type AccountRequest = {
  readonly inventory: Inventory;
  readonly library: readonly Scenario[];
  readonly now: Instant;
  readonly variants: boolean;
};

type Channels = Target['transport']['channels'];

/** The executions of one account of one target, controls around them; and which scenarios it cannot run, and why. Pure. */
export function planAccount(
  target: Target,
  account: Account,
  scenarios: readonly Scenario[],
  request: AccountRequest,
): { readonly planned: readonly PlannedExecution[]; readonly leftOut: readonly LeftOut[] } {
  const offered = target.transport.channels;
  const work = scenarios.filter(({ purpose }) => purpose !== 'control');
  // What is meant for an account of another role is not left out of this one.
  const meant = work.filter((scenario) => (scenario.account ?? 'standard') === account.role);
  const reasons = new Map(meant.map((scenario) => [scenario, obstacle(scenario, target, account, request.now)]));
  const leftOut = meant.flatMap((scenario) => {
    const because = reasons.get(scenario);
    return because === undefined ? [] : [{ what: `${target.id}/${account.name}/${scenario.id}`, because }];
  });
  const own = meant.filter((scenario) => reasons.get(scenario) === undefined);
  if (work.length > 0 && own.length === 0) return { planned: [], leftOut };

  const plan = (
    scenario: Scenario,
    phase: Phase,
    { channel, variant, suffix = '' }: { channel: Channel; variant?: Variant; suffix?: string },
  ): PlannedExecution => ({
    id: `${target.id}/${account.name}/${scenario.id}${variant === undefined ? '' : `@${variant.name}`}${suffix}`,
    phase,
    purpose: scenario.purpose,
    scenario: scenario.id,
    ...(variant === undefined ? {} : { variant: variant.name }),
    title: scenario.title,
    analytic: scenario.analytic,
    ...(scenario.element === undefined ? {} : { element: scenario.element }),
    target: target.id,
    account: account.name,
    channel,
    steps: (variant ?? scenario).steps,
    creates: scenario.creates,
    expect: expectations(scenario, (variant ?? scenario).expect, target, request),
  });
  const all = (purpose: 'twin' | 'emulation', phase: Phase): readonly PlannedExecution[] =>
    own
      .filter((scenario) => scenario.purpose === purpose)
      .flatMap((scenario) => {
        const channel = channelFor(scenario.channel, offered) ?? offered[0];
        const variants = request.variants ? scenario.variants : [];
        return [
          plan(scenario, phase, { channel }),
          ...variants.map((variant) => plan(scenario, phase, { channel, variant })),
        ];
      });
  const steps = [...all('twin', 'twins'), ...all('emulation', 'emulations')];
  // A control is watched with every rule that the steps are watched with: only what ran over it can be called clean.
  const watchedBy = ({ expect, ...control }: PlannedExecution): PlannedExecution => ({
    ...control,
    expect: expect.map((one) => {
      const others = steps.flatMap((step) => step.expect.filter(({ siem }) => siem === one.siem));
      return { ...one, rules: [...new Set([...one.rules, ...others.flatMap(({ rules }) => rules)])].sort() };
    }),
  });
  const inUse = steps.length === 0 ? [offered[0]] : [...new Set(steps.map(({ channel }) => channel))];
  const around = (phase: 'control-before' | 'control-after', name: string): readonly PlannedExecution[] =>
    scenarios
      .filter(({ purpose }) => purpose === 'control')
      .flatMap((control) =>
        inUse
          .filter((channel) => control.channel === 'any' || channelFor(control.channel, offered) === channel)
          .map((channel) => {
            const suffix = `${channel === offered[0] ? '' : `!${channel}`}${name}`;
            return watchedBy(plan(control, phase, { channel, suffix }));
          }),
      );
  return {
    planned: [...around('control-before', '#before'), ...steps, ...around('control-after', '#after')],
    leftOut,
  };
}

/** The channel of the transport that carries what a scenario asks for. */
function channelFor(asked: ChannelAsked, offered: Channels): Channel | undefined {
  return asked === 'shell' ? offered.find((channel) => channel === 'shell') : offered[0];
}

/** Why this account does not run this scenario now. */
function obstacle(scenario: Scenario, target: Target, account: Account, now: Instant): string | undefined {
  if (channelFor(scenario.channel, target.transport.channels) === undefined)
    return `the transport ${target.transport.kind} has no terminal to type into`;
  const executable = scenario.steps.map((step) => step.executable).find((name) => name !== undefined);
  if (executable !== undefined && target.executables[executable] === undefined)
    return `the operator has supplied no executable ${executable} for ${target.id} (executables in the inventory)`;
  const needsAdmin = scenario.steps.some(({ privilege }) => privilege === 'admin');
  if (needsAdmin && target.platform === 'windows' && account.role !== 'admin')
    return 'it needs an account of the role admin: on Windows rights come with the login';
  if (scenario.when === undefined) return undefined;
  if (target.maintenance === undefined) return `${target.id} declares no maintenance window to hold the time against`;
  const isMaintenance = isOpen(target.maintenance, now);
  return isMaintenance === (scenario.when === 'in-maintenance')
    ? undefined
    : `not applicable now: it is ${isMaintenance ? 'inside' : 'outside'} the maintenance window of ${target.id}`;
}
