/** An event as the store keeps it: the Elastic Common Schema 8, nested. A field without a value is absent. */
export type EcsEvent = {
  /** Host's event time, by the host's clock. */
  readonly '@timestamp': string;
  readonly message?: string;
  readonly event: {
    readonly id: string;
    readonly kind: 'event';
    readonly module: 'auditd' | 'syslog' | 'esxi' | 'macos' | 'windows';
    readonly dataset:
      | 'auditd.execve'
      | 'auditd.connect'
      | 'auditd.path'
      | 'syslog'
      | 'esxi.auth'
      | 'esxi.shell'
      | 'esxi.hostd'
      | 'esxi.vobd'
      | 'macos.endpointsecurity.exec'
      | 'macos.osquery.process_events'
      | 'macos.osquery.socket_events'
      | 'macos.osquery.file_events'
      | 'macos.osquery'
      | 'macos.unifiedlog'
      | 'macos.syslog'
      | 'windows.sysmon_operational'
      | 'windows.security';
    /** The number that the platform gives such events (Windows). */
    readonly code?: string;
    readonly category: readonly string[];
    readonly type: readonly string[];
    readonly action: string;
    readonly outcome?: 'success' | 'failure' | 'unknown';
    /** When the SIEM took it in, by its own clock. */
    readonly ingested: string;
    /** The text that it was made from; of an audit event all records, a line each. */
    readonly original: string;
  };
  readonly host: {
    readonly name: string;
    readonly hostname: string;
    /** ECS has no type for ESXi; then `platform` tells. */
    readonly os: { readonly type?: 'linux' | 'macos' | 'windows'; readonly platform?: 'esxi' };
  };
  readonly user?: {
    readonly id?: string;
    readonly name?: string;
    readonly domain?: string;
    readonly audit?: { readonly id: string };
  };
  /** What the asset table adds, and no log source knows. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly process?: EcsProcess;
  readonly file?: { readonly path: string };
  readonly source?: { readonly ip: string; readonly port?: number };
  readonly destination?: { readonly address: string; readonly ip?: string; readonly port?: number };
  readonly network?: {
    readonly type?: string;
    readonly transport?: string;
    readonly direction: 'egress';
    readonly initiated: true;
  };
  readonly error?: { readonly code: string };
  readonly log?: { readonly syslog?: EcsSyslog };
  /** What ECS has no field for, as Winlogbeat keeps it. */
  readonly winlog?: { readonly event_data: Readonly<Record<string, string>> };
};

export type EcsProcess = {
  readonly pid?: number;
  readonly entity_id?: string;
  readonly ppid?: number;
  readonly executable?: string;
  readonly name?: string;
  readonly args?: readonly string[];
  readonly args_count?: number;
  readonly command_line?: string;
  readonly working_directory?: string;
  /** As PROCTITLE has it: cut at 128 bytes, and possibly that of the program which the process ran before. */
  readonly title?: string;
  readonly hash?: { readonly sha256?: string; readonly md5?: string };
  readonly pe?: { readonly original_file_name: string };
  readonly parent?: {
    readonly pid?: number;
    readonly entity_id?: string;
    readonly executable?: string;
    readonly name?: string;
    readonly args?: readonly string[];
    readonly args_count?: number;
    readonly command_line?: string;
    readonly user?: { readonly name?: string; readonly domain?: string };
  };
};

type EcsSyslog = {
  readonly priority?: number;
  readonly facility?: { readonly code: number };
  readonly severity?: { readonly code: number };
  readonly appname?: string;
  readonly procid?: string;
};

/** What an event is before the SIEM has taken it in. */
export type CollectedEvent = Omit<EcsEvent, 'event'> & { readonly event: Omit<EcsEvent['event'], 'ingested'> };

/** The object without the keys whose value is undefined: what is not known is absent. */
export function present<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
