import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';

/** Files of a stand-in's certificates. */
export type Certificates = {
  /** The authority that signed the server's and the accounts' certificates. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
};

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

/**
 * Makes an authority, a server certificate for loopback, and for each account a client certificate (`<account>.cert.pem`,
 * `<account>.key.pem`), valid for a month. Takes openssl(1).
 */
export async function makeCertificates(folder: string, accounts: readonly string[]): Promise<Certificates> {
  const file = (name: string): string => path.join(folder, name);
  const openssl = async (...args: readonly string[]): Promise<void> => {
    await execa('openssl', args, { stdin: 'ignore' });
  };
  const [ca, caKey] = [file('ca.pem'), file('ca.key.pem')];
  await openssl('req', '-x509', ...key, '-days', '31', '-subj', '/CN=detproof lab', '-keyout', caKey, '-out', ca);
  const sign = async (name: string, subject: string, extensions: string): Promise<void> => {
    const [request, extension] = [file(`${name}.csr`), file(`${name}.ext`)];
    writeFileSync(extension, extensions, { mode: 0o600 });
    await openssl('req', ...key, '-subj', `/CN=${subject}`, '-keyout', file(`${name}.key.pem`), '-out', request);
    await openssl(
      ...['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '31'],
      ...['-extfile', extension, '-out', file(`${name}.cert.pem`)],
    );
  };
  await sign('server', 'localhost', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n');
  for (const account of accounts)
    await sign(
      account,
      account,
      `subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:${account}@localhost\nextendedKeyUsage=clientAuth\n`,
    );
  return { ca, cert: file('server.cert.pem'), key: file('server.key.pem') };
}
