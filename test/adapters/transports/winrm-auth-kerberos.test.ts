import { registerHooks } from 'node:module';
import t from 'tap';
import { openConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import type { ConnectionOptions } from '../../../adapters/transports/winrm/http/options.ts';
import { requirement } from '../../require.ts';
import { Kdc, kdcMissing } from './winrm-peers/kdc.ts';
import { kerberosPackage, kerberosPackageMissing } from './winrm-peers/kerberos-package.ts';
import { acceptorMissing, Certificate, connectionTo, patient, Peer } from './winrm-peers/peer.ts';

// As if the operator had installed the optional package beside detproof.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'kerberos' ? { url: kerberosPackage.href, shortCircuit: true } : next(specifier, context),
});

const missing = kerberosPackageMissing() ?? (await kdcMissing()) ?? (await acceptorMissing('krb5'));

t.test('WinRM login against MIT Kerberos', async (t) => {
  if (!requirement(t, 'Kerberos', missing)) return;
  await using kdc = await Kdc.start();
  await using tls = await Certificate.make();
  // The library reads the environment of its process.
  Object.assign(process.env, kdc.client);
  const to = (port: number, service = 'HTTP'): ConnectionOptions => {
    const options = connectionTo(port, { https: true, tls: { ca: tls.pem }, login: { kind: 'kerberos', service } });
    return { ...options, endpoint: { ...options.endpoint, host: 'localhost' } };
  };
  const start = (proof: 'given' | 'absent' | 'wrong') => Peer.start({ acceptor: 'krb5', tls, proof, env: kdc.service });

  await t.test('with a ticket: logs in, checks that the host is the host, and talks inside TLS', async (t) => {
    await using peer = await start('given');
    const connection = await openConnection(to(peer.port), patient().signal);
    for (const envelope of ['<a/>', '<b/>']) {
      const { body } = await connection.post(envelope, patient());
      t.equal(Buffer.from(body).toString(), `dana@LAB.EXAMPLE\n${envelope}`);
    }
    t.match(connection.security, { scheme: 'kerberos', sealed: false, tls: { channelBinding: false } });
    await connection.close();
  });

  await t.test('a host that gives no proof of itself, or a wrong one, is not believed', async (t) => {
    for (const proof of ['absent', 'wrong'] as const) {
      await using peer = await start(proof);
      await t.rejects(openConnection(to(peer.port), patient().signal), {
        class: 'protocol',
        message: /did not prove by Kerberos that it is the host asked for/,
      });
    }
  });

  await t.test('without a ticket for the service: the failure says what to look at, and nothing is sent', async (t) => {
    await using peer = await start('given');
    await t.rejects(openConnection(to(peer.port, 'WSMAN'), patient().signal), {
      class: 'login',
      message: /no Kerberos ticket for WSMAN@localhost could be had .*klist/,
    });
  });
});
