/** Before the tests: installs what they need from Debian. Where it may not, says so; the tests that need it are then skipped. */
import { ensurePackages, LAB_PACKAGES } from '../lab/range/packages.ts';
import { LabRefused } from '../lab/range/refused.ts';

/** Chromium looks at the report, ss at the machine before and after the lab; BusyBox has a third sh for the host scripts. */
const packages = [...LAB_PACKAGES, 'chromium', 'iproute2', 'busybox'];

try {
  await ensurePackages(packages, (line) => {
    process.stderr.write(`${line}\n`);
  });
} catch (error) {
  if (!(error instanceof LabRefused)) throw error;
  process.stderr.write(`${error.message}\nThe tests that need them will be skipped.\n`);
}
