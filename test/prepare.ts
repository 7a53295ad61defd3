/** Before the tests: installs what they need from Debian and PyPI. Where it may not, says so; the tests that need it are then skipped. */
import { ensurePackages, LAB_PACKAGES } from '../lab/range/packages.ts';
import { LabRefused } from '../lab/range/refused.ts';
import { installPythonPackages } from './python-packages.ts';

/** Chromium looks at the report, ss at the machine before and after the lab; BusyBox has a third sh for the host scripts. */
const packages = [...LAB_PACKAGES, 'chromium', 'iproute2', 'busybox', 'python3-pip'];

/** NTLM as others wrote it, to log in to: gss-ntlmssp under Python's gssapi, and Samba's ntlm_auth. */
const ntlmPeers = ['gss-ntlmssp', 'openssl', 'python3-gssapi', 'winbind'];

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

try {
  await ensurePackages([...packages, ...ntlmPeers], log);
} catch (error) {
  if (!(error instanceof LabRefused)) throw error;
  process.stderr.write(`${error.message}\nThe tests that need them will be skipped.\n`);
}

await installPythonPackages(log).catch((error: unknown) => {
  log(
    `${error instanceof Error ? error.message : String(error)}\nThe tests that need packages from PyPI will be skipped.`,
  );
});
