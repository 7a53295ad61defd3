import type { BaseAgent, OpenSSHAgent, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';

const refusal =
  'for an RSA key the server takes signatures with SHA-1 only, and those are not made; use an Ed25519 key';

/** A key that signs as ssh2's does, except with SHA-1, which ssh2 falls back to for RSA keys and old servers. */
export function modernKey(key: ParsedKey): ParsedKey {
  const sign: ParsedKey['sign'] = (data, algorithm) => {
    if (algorithm === 'sha1') throw new Error(refusal);
    return key.sign(data, algorithm);
  };
  return Object.create(key, { sign: { value: sign } }) as ParsedKey;
}

/** An agent with the same exception. */
export function modernAgent(agent: OpenSSHAgent): BaseAgent<ParsedKey> {
  function sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done?: SignCallback,
  ): void {
    if (typeof options === 'function') agent.sign(key, data, options);
    else if (options.hash === 'sha1') done?.(new Error(refusal));
    else agent.sign(key, data, options, done);
  }
  return Object.create(agent, { sign: { value: sign } }) as BaseAgent<ParsedKey>;
}
