import { type Analytic, type AttackFacts, logSourceRef, type Platform } from '../../runner/domain/attack.ts';

const components = {
  DC0029: 'Script Execution',
  DC0032: 'Process Creation',
  DC0064: 'Command Execution',
  DC0082: 'Network Connection Creation',
  DC0085: 'Network Traffic Content',
};
type Source = readonly [name: string, channel: string, component: keyof typeof components];

function analytic(
  id: string,
  platform: Platform,
  summary: string,
  official: readonly Source[],
  supplementary: readonly Source[],
  elements: Readonly<Record<string, string>>,
): Analytic {
  const source = ([name, channel, component]: Source) => ({
    ref: logSourceRef(name, channel),
    name,
    channel,
    dataComponent: { id: component, name: components[component] },
  });
  return {
    id,
    platform,
    summary,
    url: `https://attack.mitre.org/detectionstrategies/DET0063#${id}`,
    logSources: official.map(source),
    supplementary: supplementary.map(source),
    elements: Object.entries(elements).map(([field, gist]) => ({ field, gist })),
  };
}

/** DET0063 as far as a report needs it: 4 analytics, 9 official log source references, 14 elements. */
export const attackFacts: AttackFacts = {
  version: '19.1',
  notice:
    '© 2026 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation.',
  technique: { id: 'T1059.006', name: 'Python', tactic: 'execution' },
  strategy: {
    id: 'DET0063',
    name: 'Cross-Platform Behavioral Detection of Python Execution',
    url: 'https://attack.mitre.org/detectionstrategies/DET0063',
  },
  analytics: [
    analytic(
      'AN0172',
      'windows',
      'python.exe or py.exe with an unusual parent, from an unusual folder, or followed by network or shell activity',
      [
        ['WinEventLog:Sysmon', 'EventCode=1', 'DC0032'],
        ['EDR:hunting', 'Advanced Hunting: DeviceProcessEvents + DeviceNetworkEvents', 'DC0085'],
      ],
      [['WinEventLog:Security', 'EventCode=4688', 'DC0032']],
      {
        ParentProcess: 'unusual parents of python.exe such as winword.exe or mshta.exe',
        ScriptPath: '.py run from temporary or user-profile paths',
        TimeWindow: 'run outside maintenance or patch windows',
        UserContext: 'run by low-privileged or service accounts',
        ChildProcess: 'Python starting suspicious programs such as PowerShell or certutil',
      },
    ),
    analytic(
      'AN0173',
      'macos',
      'native or framework Python from Terminal, an embedding app or a launchd job, then network calls or persistence',
      [
        ['macos:unifiedlog', 'log stream --predicate \'eventMessage contains "python"\'', 'DC0029'],
        ['macos:osquery', 'process_events', 'DC0032'],
        ['macos:syslog', 'system.log', 'DC0064'],
      ],
      [['macos:endpointsecurity', 'ES_EVENT_TYPE_NOTIFY_EXEC', 'DC0032']],
      {
        ExecutionPath: 'scripts under ~/Downloads/, /Volumes/ or /tmp/',
        ScriptName: 'obfuscated or high-entropy script names',
        SpawnChain: 'Python to bash to curl, or Python to osascript',
      },
    ),
    analytic(
      'AN0174',
      'linux',
      'Python run by a non-standard user or by cron, then outbound traffic, sensitive files or process injection',
      [
        ['auditd:SYSCALL', 'execve', 'DC0032'],
        ['linux:syslog', '/var/log/syslog', 'DC0029'],
      ],
      [
        ['auditd:SYSCALL', 'connect', 'DC0082'],
        ['auditd:EXECVE', 'EXECVE', 'DC0032'],
      ],
      {
        ScriptDir: 'script under /tmp, /var/tmp or hidden folders',
        ScheduledContext: 'run from user cron or systemd timers outside approved scripts',
        NetworkActivity: 'Python speaking HTTP or HTTPS that is not a package update',
      },
    ),
    analytic(
      'AN0175',
      'esxi',
      'Python run on a host through the BusyBox shell, a nested install, or files dropped by SSH or a datastore mount',
      [
        ['esxi:vobd', '/var/log/vobd.log', 'DC0032'],
        ['esxi:hostd', '/var/log/hostd.log', 'DC0064'],
      ],
      [],
      {
        ExecutionSource: 'script from a mounted datastore, an SSH upload, or dropped by guest-to-host tools',
        HostUser: 'Python started as root or an unknown user',
        InstallPath: 'Python binaries or packages in non-default paths',
      },
    ),
  ],
};
