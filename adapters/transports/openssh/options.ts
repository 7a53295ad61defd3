import { parseDuration } from '../../../runner/domain/time.ts';
import type { OpensshAccount, OpensshSettings } from './settings.ts';

/** What ssh is to connect to, with all paths absolute. */
export type Destination = {
  readonly address: string;
  readonly account: string;
  readonly settings: OpensshSettings;
  readonly login: OpensshAccount;
  /** Path of the agent's socket. */
  readonly agent?: string | undefined;
};

/**
 * Options for every call of ssh (ssh_config(5)). On the command line they go before what a config file says: nothing is asked,
 * no unknown host key is taken, one login is tried, nothing is forwarded, no local command run.
 */
export function sshOptions(to: Destination, controlPath: string): readonly string[] {
  const { settings, login } = to;
  const knownHosts = typeof settings.knownHosts === 'string' ? [settings.knownHosts] : settings.knownHosts;
  const set: readonly (readonly [string, string])[] = [
    ['BatchMode', 'yes'],
    ['StrictHostKeyChecking', 'yes'],
    ['UserKnownHostsFile', knownHosts.map(word).join(' ')],
    ['GlobalKnownHostsFile', 'none'],
    ['UpdateHostKeys', 'no'],
    ['VerifyHostKeyDNS', 'no'],
    ['PreferredAuthentications', 'publickey'],
    ['NumberOfPasswordPrompts', '0'],
    ['ControlPath', word(controlPath)],
    ['ConnectTimeout', seconds(settings.connectTimeout)],
    ['ConnectionAttempts', '1'],
    ['ServerAliveInterval', seconds(settings.keepalive)],
    ['ServerAliveCountMax', '3'],
    ['ForwardAgent', 'no'],
    ['ForwardX11', 'no'],
    ['ClearAllForwardings', 'yes'],
    ['PermitLocalCommand', 'no'],
    ['EscapeChar', 'none'],
    ['LogLevel', 'ERROR'],
    ...(login.key === undefined ? [] : [['IdentityFile', word(login.key)] as const]),
    ...(login.key === undefined ? [] : [['IdentitiesOnly', 'yes'] as const]),
    ...(login.certificate === undefined ? [] : [['CertificateFile', word(login.certificate)] as const]),
    ['IdentityAgent', to.agent === undefined ? 'none' : word(to.agent)],
    ...(settings.jump === undefined ? [] : [['ProxyJump', settings.jump] as const]),
    ...(settings.port === undefined ? [] : [['Port', String(settings.port)] as const]),
    ['User', word(to.account)],
  ];
  return [...configOptions(to), '-T', ...set.flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** All that ssh hands on to the calls of itself that reach jump hosts. */
export function configOptions({ settings }: Destination): readonly string[] {
  return ['-F', settings.config ?? 'none'];
}

/** Quoted, since ssh splits some values at spaces; `%` begins a token. */
function word(text: string): string {
  const escaped = text.replaceAll('%', '%%');
  return /[\s"'\\]/.test(escaped) ? `"${escaped.replace(/["\\]/g, String.raw`\$&`)}"` : escaped;
}

function seconds(duration: string): string {
  return String(Math.max(1, Math.ceil((parseDuration(duration) ?? 0) / 1_000)));
}
