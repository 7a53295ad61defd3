import { glob } from '../domain/glob.ts';
import type { Inventory, Overlay, Target } from '../domain/inventory.ts';
import type { SiemExpectation } from '../domain/plan.ts';
import type { Expectation, Scenario } from '../domain/scenario.ts';
import { duration } from '../domain/time.ts';

/** What each SIEM that knows the target is expected to show, after the site's overlay. `library`: where a twin's counterpart is looked up. */
export function expectations(
  scenario: Scenario,
  expect: Expectation,
  target: Target,
  { inventory, library }: { readonly inventory: Inventory; readonly library: readonly Scenario[] },
): readonly SiemExpectation[] {
  const counterpart = library.find(({ id }) => id === scenario.twinOf);
  return inventory.siems
    .filter((siem) => target.names[siem.id] !== undefined)
    .map((siem) => {
      const site = overlay(inventory.expectations, scenario.id, target.role, siem.id);
      const { alert, event } = expect;
      const alertWithin = site.within ?? alert.within;
      // A twin is watched with the rules of the emulation whose counterpart it is: that they are alive is what makes it quiet.
      const rules =
        counterpart === undefined
          ? alert.rules
          : (overlay(inventory.expectations, counterpart.id, target.role, siem.id).rules ??
            counterpart.expect.alert.rules);
      // An overlay's stance is about emulations and speaks of the plain form; a declared gap of a variant stays.
      const takesStance =
        scenario.purpose === 'emulation' && alert.stance === 'must-alert' && site.stance !== undefined;
      const notCollected = event.sources.every((source) => site.notCollected?.includes(source) ?? false);
      const stance = notCollected ? 'not-collected' : takesStance ? site.stance : alert.stance;
      const words = takesStance || notCollected ? site : alert;
      return {
        siem: siem.id,
        sources: event.sources,
        context: event.context,
        ...(expect.file === undefined ? {} : { file: expect.file }),
        eventWithin: duration(Math.min(event.within, alertWithin)),
        rules: site.rules ?? rules,
        alertWithin,
        // An alert in time must be seen, whichever of the overlay's entries shortened what.
        observeFor: duration(Math.max(site.observeFor ?? Math.max(alertWithin, event.within) * 2, alertWithin)),
        stance,
        ...(words.because === undefined ? {} : { because: words.because }),
        ...(words.owner === undefined ? {} : { owner: words.owner }),
        ...(words.until === undefined ? {} : { until: words.until }),
        attribution: site.attribution ?? 'exact',
      };
    });
}

/** All overlay entries that match, the later ones over the earlier, field by field. */
function overlay(entries: readonly Overlay[], scenario: string, role: string, siem: string): Partial<Overlay> {
  return entries
    .filter(
      (entry) =>
        entry.scenarios.some((pattern) => glob(pattern, scenario)) &&
        (entry.roles?.includes(role) ?? true) &&
        (entry.siems?.includes(siem) ?? true),
    )
    .reduce<Partial<Overlay>>((merged, entry) => ({ ...merged, ...entry }), {});
}
