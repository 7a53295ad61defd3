/** Before the tests: installs what they need from Debian and PyPI. Where it may not, says so; the tests that need it are then skipped. */
import { ensurePackages, LAB_PACKAGES } from '../lab/range/packages.ts';
import { LabRefused } from '../lab/range/refused.ts';
import { findStandIns } from '../lab/range/stand-ins.ts';
import { buildKerberosPackage } from './adapters/transports/winrm-peers/kerberos-package.ts';
import { installPythonPackages } from './python-packages.ts';

/** Chromium looks at the report, ss at the machine before and after the lab; BusyBox has a third sh for the host scripts; strace watches what scenarios do. */
const packages = [...LAB_PACKAGES, 'chromium', 'iproute2', 'busybox', 'python3-pip', 'strace', 'sudo'];

/** WinRM as others wrote it: a client, and NTLM to log in to, gss-ntlmssp under Python's gssapi and Samba's ntlm_auth. */
const winrmPeers = ['python3-winrm', 'gss-ntlmssp', 'openssl', 'python3-gssapi', 'winbind'];

/** A Kerberos realm to log in with, and what the optional package kerberos is built with. */
const kerberosPeers = ['g++', 'krb5-admin-server', 'krb5-kdc', 'libkrb5-dev', 'make'];

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

try {
  const standIns = (await findStandIns()).flatMap((standIn) => standIn.packages);
  await ensurePackages([...packages, ...winrmPeers, ...kerberosPeers, ...standIns], log);
} catch (error) {
  if (!(error instanceof LabRefused)) throw error;
  process.stderr.write(`${error.message}\nThe tests that need them will be skipped.\n`);
}

await installPythonPackages(log).catch((error: unknown) => {
  log(
    `${error instanceof Error ? error.message : String(error)}\nThe tests that need packages from PyPI will be skipped.`,
  );
});

await buildKerberosPackage(log).catch((error: unknown) => {
  log(`${error instanceof Error ? error.message : String(error)}\nThe tests of Kerberos will be skipped.`);
});
