/** ATT&CK ids: `AN` + 4 digits, `DC` + 4 digits, and so on (ATT&CK spec 3.3.0, x-mitre-analytic, x-mitre-data-component). */
export type AnalyticId = string;
export type Platform = 'windows' | 'macos' | 'linux' | 'esxi';

/**
 * `NAME/CHANNEL` of an ATT&CK log source. Both parts are opaque; a name holds no `/`, so the first one divides
 * (`linux:syslog//var/log/syslog` is the channel `/var/log/syslog`).
 */
export type LogSourceRef = string;

export type LogSource = {
  readonly ref: LogSourceRef;
  readonly name: string;
  readonly channel: string;
  readonly dataComponent: { readonly id: string; readonly name: string };
};

export type Analytic = {
  readonly id: AnalyticId;
  readonly platform: Platform;
  readonly summary: string;
  readonly url: string;
  /** The official references of this analytic. */
  readonly logSources: readonly LogSource[];
  /** Others in ATT&CK's vocabulary that could show the behaviour; never mixed with the official ones in a number. */
  readonly supplementary: readonly LogSource[];
  /** The mutable elements, field names exactly as ATT&CK writes them. */
  readonly elements: readonly { readonly field: string; readonly gist: string }[];
};

/** The pinned content of DET0063. */
export type AttackFacts = {
  readonly version: string;
  readonly notice: string;
  readonly technique: { readonly id: string; readonly name: string; readonly tactic: string };
  readonly strategy: { readonly id: string; readonly name: string; readonly url: string };
  readonly analytics: readonly Analytic[];
};

/**
 * Do these techniques of an alert say that somebody reached the host, and nothing else? ATT&CK's T1021, Remote Services. Such an
 * alert is about how detproof got there, which it does for controls and emulations alike, and not about the Python behaviour.
 * SIEMs write ids in any case, as Sigma's tags (`attack.t1021.004`), and put tactics (`TA0008`) beside them.
 */
export function isRemoteAccess(techniques: readonly string[]): boolean {
  const named = techniques
    .map((technique) => technique.toUpperCase().replace(/^ATTACK\./, ''))
    .filter((technique) => !/^TA\d+$/.test(technique));
  return named.length > 0 && named.every((technique) => /^T1021(?:\.|$)/.test(technique));
}

export function logSourceRef(name: string, channel: string): LogSourceRef {
  return `${name}/${channel}`;
}
