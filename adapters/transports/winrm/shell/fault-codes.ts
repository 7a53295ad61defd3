/** Codes of WSManFault (wsmerror.h, winerror.h) that this client acts on. */
export const codes = {
  /** On Receive: no output yet, ask again. */
  operationTimedOut: 2_150_858_793,
  /** Shell or command is not known (any more). */
  unexpectedSelectors: 2_150_858_843,
  invalidSelectors: 2_150_858_813,
  maxShells: 2_150_859_173,
  maxShellsPerPlugin: 2_150_859_236,
  maxOperations: 2_150_859_174,
  maxOperationsPerPlugin: 2_150_859_240,
  noSuchFolder: 2_147_942_667,
} as const;

const bug = 'That is a fault of this client, not of the host: please report it with this message';
const tooLarge = (setting: string): string =>
  `The message is larger than ${setting} allows. Raise it (winrm set winrm/config @{MaxEnvelopeSizekb="500"})`;
const shells =
  'Close shells that are left over (winrm enumerate shell), wait until their IdleTimeout is over, or raise MaxShellsPerUser in winrm/config/winrs';
const operations =
  'Too many operations of this account are open. Lower the target’s parallel, or raise MaxConcurrentOperationsPerUser in winrm/config/service';
const users =
  'Too many accounts have shells open. Wait for the others, or raise MaxConcurrentUsers in winrm/config/winrs';
const gone =
  'The host does not know the shell or command any more: it was idle too long, the host or its WinRM service was restarted, or another account owns it';
const notAllowed =
  'The host does not let remote shells in. Its owner can: winrm set winrm/config/winrs @{AllowRemoteShellAccess="true"}, or the policy of that name';
const plugin =
  'The part of WinRM that runs shells is not there or not registered. See winrm enumerate winrm/config/plugin';

const advice: Readonly<Record<number, string>> = {
  5: 'The login was good, but the account may not use WinRM: put it into Remote Management Users (or Administrators) on the host. A local administrator is cut down over the network unless LocalAccountTokenFilterPolicy is 1',
  87: bug,
  2_147_942_402: 'The program was not found. Give its full path',
  2_147_942_405:
    'Access was denied while the shell was made: may the account load its profile, enter the folder to start in, and log on over the network?',
  2_147_942_606: 'The command line is too long for Windows. Put the text into a file, or send it on standard input',
  2_147_942_667: 'The folder to start in does not exist, or is no folder',
  2_150_858_752: plugin,
  2_150_858_767: bug,
  2_150_858_768: bug,
  2_150_858_793:
    'The host did not answer in its own time. Is it overloaded? A higher operationTimeout of the target gives it longer',
  2_150_858_810: bug,
  2_150_858_811: plugin,
  2_150_858_813: gone,
  2_150_858_815: 'A limit of the host was reached. See winrm get winrm/config for its limits',
  2_150_858_817: bug,
  2_150_858_819: bug,
  2_150_858_823: tooLarge('MaxEnvelopeSizekb of the host'),
  2_150_858_824: tooLarge('MaxEnvelopeSizekb of the host'),
  2_150_858_825: tooLarge('MaxEnvelopeSizekb of the host'),
  2_150_858_842: bug,
  2_150_858_843: gone,
  2_150_858_878: bug,
  2_150_858_881: 'The host does not accept this operationTimeout. Use one of at most 60s',
  2_150_858_883:
    'The part of WinRM that runs shells failed. See the event log Microsoft-Windows-WinRM/Operational on the host, and restart its WinRM service',
  2_150_859_086: bug,
  2_150_859_118: bug,
  2_150_859_141: bug,
  2_150_859_147: bug,
  2_150_859_149: bug,
  2_150_859_173: shells,
  2_150_859_174: operations,
  2_150_859_175:
    'A quota of this account was reached. See winrm get winrm/config/service, or wait for the account’s other sessions to end',
  2_150_859_176: 'A quota of the whole host was reached. Wait for other sessions to end, or see winrm get winrm/config',
  2_150_859_179: users,
  2_150_859_180: notAllowed,
  2_150_859_229:
    'The WinRM service of the host refuses remote access. Its owner can allow it: Enable-PSRemoting, or the policy "Allow remote server management through WinRM"',
  2_150_859_230: 'The host closed the stream of output. What the command did since then is not known',
  2_150_859_235: notAllowed,
  2_150_859_236: shells,
  2_150_859_237: users,
  2_150_859_238:
    'The shells of all accounts together reached MaxShells of the plug-in. Wait for others to end, or raise the quota',
  2_150_859_239:
    'The operations of all accounts together reached MaxConcurrentOperations of the plug-in. Wait for others to end, or raise the quota',
  2_150_859_240: operations,
  2_150_859_241:
    'Too many commands ran in one shell. Start a new session, or raise MaxConcurrentCommandsPerShell of the plug-in',
};

/** What to do about a code; undefined for one that is not known. */
export function adviceFor(code: number | undefined): string | undefined {
  return code === undefined ? undefined : advice[code];
}
