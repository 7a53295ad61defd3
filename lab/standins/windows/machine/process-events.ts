import type { Logon } from './accounts.ts';
import { sysmonTime, userName } from './event-log.ts';
import type { EventLog } from './event-log.ts';
import type { ProgramFile } from './program-file.ts';
import type { WinProcess } from './process.ts';

/** Mandatory labels (winnt.h, SECURITY_MANDATORY_*_RID). */
const labels = { Medium: 'S-1-16-8192', High: 'S-1-16-12288', System: 'S-1-16-16384' } as const;
/** Default, full and limited token, as in the event's message table. */
const elevation = { Medium: '%%1936', High: '%%1937', System: '%%1936' } as const;

/** Why a login is refused, as event 4625 says it; the client is told nothing. */
const refusals = {
  'wrong-password': { Status: '0xc000006d', FailureReason: '%%2313', SubStatus: '0xc000006a' },
  'expired-password': { Status: '0xc000006e', FailureReason: '%%2309', SubStatus: '0xc0000071' },
} as const;

/** The events that sensors write about processes. */
export class ProcessEvents {
  readonly #log: EventLog;
  readonly #host: string;

  constructor(log: EventLog, host: string) {
    this.#log = log;
    this.#host = host;
  }

  /** Sysmon event 1 and Security event 4688, the latter with "include command line" on. */
  started(process: WinProcess, file: ProgramFile): void {
    const { parent, logon } = process;
    this.#log.write(
      'sysmon',
      1,
      {
        RuleName: '-',
        UtcTime: sysmonTime(process.startedMs),
        ProcessGuid: process.guid,
        ProcessId: process.pid,
        Image: process.image,
        FileVersion: file.version,
        Description: file.description,
        Product: file.product,
        Company: file.company,
        OriginalFileName: file.originalName,
        CommandLine: process.commandLine,
        CurrentDirectory: process.cwd.endsWith('\\') ? process.cwd : `${process.cwd}\\`,
        User: userName(logon),
        LogonGuid: logon.logonGuid,
        LogonId: logon.logonId,
        TerminalSessionId: 0,
        IntegrityLevel: logon.integrity,
        Hashes: file.hashes,
        ParentProcessGuid: parent?.guid ?? '{00000000-0000-0000-0000-000000000000}',
        ParentProcessId: parent?.pid ?? 0,
        ParentImage: parent?.image ?? '-',
        ParentCommandLine: parent?.commandLine ?? '-',
        ParentUser: parent === undefined ? '-' : userName(parent.logon),
      },
      process.startedMs,
    );
    const subject = parent?.logon ?? logon;
    const other = subject.logonId === logon.logonId ? undefined : logon;
    this.#log.write(
      'security',
      4688,
      {
        ...this.#subject(subject),
        NewProcessId: hex(process.pid),
        NewProcessName: process.image,
        TokenElevationType: elevation[logon.integrity],
        ProcessId: hex(parent?.pid ?? 0),
        CommandLine: process.commandLine,
        TargetUserSid: other?.sid ?? 'S-1-0-0',
        TargetUserName: other?.user ?? '-',
        TargetDomainName: other?.domain ?? '-',
        TargetLogonId: other?.logonId ?? '0x0',
        ParentProcessName: parent?.image ?? '-',
        MandatoryLabel: labels[logon.integrity],
      },
      process.startedMs,
    );
  }

  /** Sysmon event 11. */
  fileCreated(process: WinProcess, file: string, atMs: number): void {
    this.#log.write('sysmon', 11, {
      RuleName: '-',
      UtcTime: sysmonTime(atMs),
      ProcessGuid: process.guid,
      ProcessId: process.pid,
      Image: process.image,
      TargetFilename: file,
      CreationUtcTime: sysmonTime(atMs),
      User: userName(process.logon),
    });
  }

  /** Sysmon event 3. */
  connected(process: WinProcess, connection: Connection, atMs: number): void {
    const isIpv6 = connection.destinationIp.includes(':');
    this.#log.write('sysmon', 3, {
      RuleName: '-',
      UtcTime: sysmonTime(atMs),
      ProcessGuid: process.guid,
      ProcessId: process.pid,
      Image: process.image,
      User: userName(process.logon),
      Protocol: connection.protocol,
      Initiated: true,
      SourceIsIpv6: isIpv6,
      SourceIp: connection.sourceIp,
      SourceHostname: '-',
      SourcePort: connection.sourcePort,
      SourcePortName: '-',
      DestinationIsIpv6: isIpv6,
      DestinationIp: connection.destinationIp,
      DestinationHostname: '-',
      DestinationPort: connection.destinationPort,
      DestinationPortName: '-',
    });
  }

  /** Security event 4624. */
  loggedOn(
    logon: Logon,
    from: { ip: string; port: number; workstation: string; method: 'NTLM' | 'Basic' | 'ssh' | 'certificate' },
  ): void {
    this.#log.write('security', 4624, {
      SubjectUserSid: 'S-1-0-0',
      SubjectUserName: '-',
      SubjectDomainName: '-',
      SubjectLogonId: '0x0',
      TargetUserSid: logon.sid,
      TargetUserName: logon.user,
      TargetDomainName: logon.domain,
      TargetLogonId: logon.logonId,
      LogonType: logon.logonType,
      LogonProcessName: from.method === 'NTLM' ? 'NtLmSsp ' : from.method === 'ssh' ? 'sshd' : 'Advapi  ',
      AuthenticationPackageName: from.method === 'NTLM' ? 'NTLM' : 'Negotiate',
      WorkstationName: from.workstation === '' ? '-' : from.workstation,
      LogonGuid: '{00000000-0000-0000-0000-000000000000}',
      TransmittedServices: '-',
      LmPackageName: from.method === 'NTLM' ? 'NTLM V2' : '-',
      KeyLength: from.method === 'NTLM' ? 128 : 0,
      ProcessId: '0x0',
      ProcessName: '-',
      IpAddress: from.ip,
      IpPort: from.port,
      ImpersonationLevel: '%%1833',
      RestrictedAdminMode: '-',
      TargetOutboundUserName: '-',
      TargetOutboundDomainName: '-',
      VirtualAccount: '%%1843',
      TargetLinkedLogonId: '0x0',
      ElevatedToken: logon.integrity === 'High' ? '%%1842' : '%%1843',
    });
  }

  /** Security event 4625. */
  refused(user: string, from: { ip: string; port: number }, why: keyof typeof refusals = 'wrong-password'): void {
    this.#log.write('security', 4625, {
      SubjectUserSid: 'S-1-0-0',
      SubjectUserName: '-',
      SubjectDomainName: '-',
      SubjectLogonId: '0x0',
      TargetUserSid: 'S-1-0-0',
      TargetUserName: user === '' ? '-' : user,
      TargetDomainName: this.#host,
      ...refusals[why],
      LogonType: 3,
      LogonProcessName: 'NtLmSsp ',
      AuthenticationPackageName: 'NTLM',
      IpAddress: from.ip,
      IpPort: from.port,
    });
  }

  #subject({ sid, user, domain, logonId }: Logon): Readonly<Record<string, string>> {
    const isSystem = sid === 'S-1-5-18';
    return {
      SubjectUserSid: sid,
      SubjectUserName: isSystem ? `${this.#host}$` : user,
      SubjectDomainName: isSystem ? 'WORKGROUP' : domain,
      SubjectLogonId: logonId,
    };
  }
}

/** A connection that a process has opened. */
export type Connection = {
  readonly protocol: 'tcp' | 'udp';
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly destinationIp: string;
  readonly destinationPort: number;
};

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
