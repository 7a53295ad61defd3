import type { Test } from 'tap';

/**
 * Says that a test needs something of the machine. `missing` is why it cannot be had; then the test is skipped with that
 * reason printed, or fails where DETPROOF_REQUIRE=all says that everything must be there. Returns whether to go on.
 */
export function requirement(t: Test, name: string, missing: string | undefined): boolean {
  if (missing === undefined) return true;
  if (process.env.DETPROOF_REQUIRE === 'all') t.fail(`${name} is required: ${missing}`);
  else t.pass(`${name} is not here: ${missing}`, { skip: `${name}: ${missing}` });
  return false;
}
