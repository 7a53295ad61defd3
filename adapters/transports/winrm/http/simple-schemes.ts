import { type Channel, plainChannel } from './channel.ts';
import type { Login } from './options.ts';

/** RFC 7617, inside TLS only. Needs the password with every request, so this channel holds it while its socket lives. */
export async function basic(login: Extract<Login, { kind: 'basic' }>): Promise<Channel> {
  const password = await login.password();
  const pair = Buffer.concat([Buffer.from(`${login.user}:`), password]);
  try {
    return plainChannel({ authorization: `Basic ${pair.toString('base64')}` });
  } finally {
    pair.fill(0);
  }
}

/** [MS-WSMV] 2.2.9: the certificate was shown in TLS; the header asks for the account that is mapped to it. */
export function certificate(): Channel {
  return plainChannel({
    authorization: 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual',
  });
}
