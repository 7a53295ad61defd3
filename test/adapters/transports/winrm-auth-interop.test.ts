import t, { type Test } from 'tap';
import { openConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import type { ConnectionOptions } from '../../../adapters/transports/winrm/http/options.ts';
import { authenticate } from '../../../adapters/transports/winrm/ntlm/login.ts';
import { negotiateMessage } from '../../../adapters/transports/winrm/ntlm/messages.ts';
import { requirement } from '../../require.ts';
import { NtlmAuth, ntlmAuthMissing } from './winrm-peers/ntlm-auth.ts';
import { acceptorMissing, account, Certificate, connectionTo, ntlm, patient, Peer } from './winrm-peers/peer.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** The messages that are exchanged: none, one, odd lengths, more than one TCP segment, and bytes that are no ASCII. */
const envelopes = ['<a/>', '', 'é', 'x'.repeat(70_001), '--Encrypted Boundary--\r\n', '<b/>'];

async function talks(t: Test, options: ConnectionOptions, sealed: boolean): Promise<void> {
  const connection = await openConnection(options, patient().signal);
  try {
    for (const envelope of envelopes) {
      const answer = await connection.post(envelope, patient());
      t.equal(answer.status, 200);
      t.equal(answer.sealed, sealed);
      const [user, ...body] = text(answer.body).split('\n');
      t.equal(user?.toLowerCase(), `${account.domain}\\${account.user}`.toLowerCase());
      t.equal(body.join('\n'), envelope);
    }
  } finally {
    await connection.close();
  }
}

async function isRefused(t: Test, options: ConnectionOptions, pattern: RegExp): Promise<void> {
  await t.rejects(openConnection(options, patient().signal), { class: 'login', message: pattern });
}

const acceptors = [
  ['gss', 'gss-ntlmssp'],
  ['pyspnego', 'pyspnego'],
] as const;

for (const [acceptor, name] of acceptors)
  t.test(`WinRM login against ${name}`, async (t) => {
    if (!requirement(t, name, await acceptorMissing(acceptor))) return;

    t.test('over http: logs in, and every message is sealed with one key stream per direction', async (t) => {
      await using peer = await Peer.start({ acceptor });
      await talks(t, connectionTo(peer.port), true);
    });

    t.test('over http: two connections have a login and keys each', async (t) => {
      await using peer = await Peer.start({ acceptor });
      const [one, two] = await Promise.all([
        openConnection(connectionTo(peer.port), patient().signal),
        openConnection(connectionTo(peer.port), patient().signal),
      ]);
      for (const envelope of ['<1/>', '<2/>'])
        for (const connection of [one, two]) t.match(text((await connection.post(envelope, patient())).body), envelope);
      await Promise.all([one.close(), two.close()]);
    });

    t.test(
      'over http: a wrong password, an unknown user and another domain are refused, with the causes',
      async (t) => {
        await using peer = await Peer.start({ acceptor });
        const logins = [
          ntlm(undefined, 'wrong'),
          ntlm(undefined, ''),
          ntlm(`${account.domain}\\nobody`),
          ntlm(`ELSEWHERE\\${account.user}`),
        ];
        for (const login of logins)
          await isRefused(t, connectionTo(peer.port, { login }), /refused the login as .*wrong user name or password/);
      },
    );

    t.test('over http: the case of the user name does not matter', async (t) => {
      await using peer = await Peer.start({ acceptor });
      const upper = ntlm(`${account.domain}\\${account.user.toUpperCase()}`);
      await talks(t, connectionTo(peer.port, { login: upper }), true);
    });

    t.test('over https: the login is tied to the certificate, and refused when it is tied to another', async (t) => {
      await using tls = await Certificate.make();
      await using other = await Certificate.make();
      const options = { https: true, tls: { ca: tls.pem } };
      {
        await using peer = await Peer.start({ acceptor, tls, bind: 'sha256' });
        await talks(t, connectionTo(peer.port, options), false);
        await isRefused(t, connectionTo(peer.port, { ...options, login: ntlm(undefined, 'wrong') }), /channel binding/);
      }
      await using elsewhere = await Peer.start({ acceptor, tls, bind: 'sha256', bindTo: other });
      await isRefused(t, connectionTo(elsewhere.port, options), /a proxy in between ends TLS/);
    });

    t.test('over https: the binding is switched off where a proxy would break it', async (t) => {
      await using tls = await Certificate.make();
      // gss-ntlmssp takes a login without a binding, and none that is tied to another certificate.
      await using other = await Certificate.make();
      const bound = acceptor === 'gss' ? { bind: 'sha256', bindTo: other } : {};
      await using peer = await Peer.start({ acceptor, tls, ...bound });
      await talks(t, connectionTo(peer.port, { https: true, tls: { ca: tls.pem }, channelBinding: false }), false);
    });

    t.test('over https: the hash of the binding is that of the certificate’s signature', async (t) => {
      const kinds = [
        ['sha384', '-sha384'],
        ['sha512', '-sha512'],
        ['sha256', '-sha1'],
      ] as const;
      for (const [bind, ...signed] of kinds) {
        await using tls = await Certificate.make({ signed });
        await using peer = await Peer.start({ acceptor, tls, bind });
        const connection = await openConnection(
          connectionTo(peer.port, { https: true, tls: { insecure: true } }),
          patient().signal,
        );
        t.equal(connection.security.tls?.channelBinding, true);
        await connection.close();
        await using wrong = await Peer.start({ acceptor, tls, bind: 'md5' });
        await isRefused(t, connectionTo(wrong.port, { https: true, tls: { insecure: true } }), /channel binding/);
      }
    });
  });

t.test('WinRM login against Samba’s ntlm_auth', async (t) => {
  if (!requirement(t, 'ntlm_auth', await ntlmAuthMissing())) return;
  const context = {
    workstation: 'RUNNER',
    targetName: 'HTTP/127.0.0.1',
    random: (length: number) => connectionTo(0).random(length),
    now: Date.now,
  };
  const answer = async (samba: NtlmAuth, user: string, password: string) => {
    const negotiate = negotiateMessage();
    const challenge = await samba.challenge(negotiate);
    return authenticate(negotiate, challenge, { user, password: Buffer.from(password) }, context);
  };

  t.test('a right password is taken, and both sides hold the same session key', async (t) => {
    await using samba = await NtlmAuth.start();
    const { message, sessionKey } = await answer(samba, `${account.domain}\\${account.user}`, account.password);
    t.match(await samba.authenticate(message), /^AF /);
    t.same(Buffer.from(await samba.sessionKey()), Buffer.from(sessionKey));
  });

  t.test('a wrong password and a changed message are refused', async (t) => {
    await using samba = await NtlmAuth.start();
    const wrong = await answer(samba, `${account.domain}\\${account.user}`, 'wrong');
    t.match(await samba.authenticate(wrong.message), /^NA NT_STATUS_(LOGON_FAILURE|WRONG_PASSWORD)/);
    const { message } = await answer(samba, `${account.domain}\\${account.user}`, account.password);
    // A byte of the MIC, which covers all three messages.
    message[80] = (message[80] ?? 0) ^ 1;
    t.match(await samba.authenticate(message), /^(NA|BH) /);
  });
});
