import type { Taxonomy } from './taxonomy.ts';

/**
 * Sigma's default taxonomy (taxonomy appendix 2.1.0) in terms of the Elastic Common Schema, for the log sources that
 * the lab collects.
 */
export const ecsTaxonomy: Taxonomy = {
  fields: {
    CommandLine: 'process.command_line',
    Computer: ['host.name', 'host.hostname'],
    CurrentDirectory: 'process.working_directory',
    DestinationHostname: 'destination.domain',
    DestinationIp: 'destination.ip',
    DestinationPort: 'destination.port',
    EventID: 'event.code',
    Image: 'process.executable',
    Initiated: 'network.initiated',
    LogonId: 'process.session_leader.entity_id',
    ParentCommandLine: 'process.parent.command_line',
    ParentImage: 'process.parent.executable',
    ParentProcessId: 'process.parent.pid',
    ParentUser: 'process.parent.user.name',
    ProcessGuid: 'process.entity_id',
    ProcessId: 'process.pid',
    Protocol: 'network.transport',
    SourceIp: 'source.ip',
    SourcePort: 'source.port',
    TargetFilename: 'file.path',
    User: 'user.name',
    message: 'message',
  },
  logsources: [
    { product: 'linux', when: { 'host.os.type': 'linux' } },
    { product: 'macos', when: { 'host.os.type': 'macos' } },
    { product: 'windows', when: { 'host.os.type': 'windows' } },
    // ECS has no type for ESXi.
    { product: 'esxi', when: { 'host.os.platform': 'esxi' } },
    { category: 'process_creation', when: { 'event.category': 'process', 'event.type': 'start' } },
    { category: 'network_connection', when: { 'event.category': 'network', 'event.type': ['start', 'connection'] } },
    { category: 'file_event', when: { 'event.category': 'file', 'event.type': ['creation', 'change'] } },
    { category: 'file_delete', when: { 'event.category': 'file', 'event.type': 'deletion' } },
    { product: 'esxi', service: 'auth', when: { 'event.dataset': 'esxi.auth' } },
    { product: 'esxi', service: 'shell', when: { 'event.dataset': 'esxi.shell' } },
    { product: 'esxi', service: 'hostd', when: { 'event.dataset': 'esxi.hostd' } },
    { product: 'esxi', service: 'vobd', when: { 'event.dataset': 'esxi.vobd' } },
    { product: 'macos', service: 'unifiedlog', when: { 'event.dataset': 'macos.unifiedlog' } },
    { product: 'windows', service: 'sysmon', when: { 'event.dataset': 'windows.sysmon_operational' } },
    { product: 'windows', service: 'security', when: { 'event.dataset': 'windows.security' } },
    { service: 'auditd', when: { 'event.module': 'auditd' } },
    { service: 'cron', when: { 'process.name': ['cron', 'crond', 'CRON'] } },
    { service: 'sshd', when: { 'process.name': 'sshd' } },
    { service: 'syslog', when: { 'event.module': ['syslog', 'system'] } },
  ],
};
