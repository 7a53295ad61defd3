import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { execLine, posixCd, posixWords } from '../../adapters/shared/posix-line.ts';
import type { Platform } from '../../runner/domain/attack.ts';
import type { PythonStep } from '../../runner/domain/scenario.ts';
import { windowsCommandLine } from '../../runner/domain/windows-quote.ts';
import { fill, invocation, type Payloads, type Place } from '../../runner/pipeline/invocation.ts';
import { type Form, scenariosFolder } from './library.ts';

/** What detproof makes up for each execution, and no rule may key on. */
export type Names = { readonly marker: string; readonly run: string; readonly alias: string; readonly file?: string };

export const payloads: Payloads = {
  read: (name) => readFileSync(join(scenariosFolder, 'payloads', name), 'utf8'),
  zip: (entries) => zipSync(entries),
  deflate: (bytes) => deflateSync(bytes),
  executable: () => new Uint8Array([0]),
};

const users: Readonly<Record<string, string>> = {
  standard: 'dana',
  service: 'svc-backup',
  admin: 'root',
  unlisted: 'ops',
  automation: 'svc-auto',
};

const hosts: Readonly<Record<Platform, { readonly home: string; readonly interpreter: string }>> = {
  windows: { home: 'C:\\Users\\USER', interpreter: 'C:\\Program Files\\Python311\\python.exe' },
  macos: { home: '/Users/USER', interpreter: '/Library/Developer/CommandLineTools/usr/bin/python3' },
  linux: { home: '/home/USER', interpreter: '/usr/bin/python3' },
  esxi: { home: '/tmp', interpreter: '/bin/python3' },
};

type Started = { readonly image: string; readonly line: string; readonly parent: Pick<Started, 'image' | 'line'> };

/**
 * The events that a form would leave in the log sources that it asks, by what those sources record (the shapes of the lab's
 * normalisers): what rules can be held against before any host has run it.
 */
export function imaginedEvents(form: Form, names: Names): readonly object[] {
  const { scenario } = form;
  const user = users[scenario.account ?? 'standard'] ?? '';
  return form.steps.flatMap((step) => {
    const at = names.file === undefined ? step.at : step.at.replace(/[^/\\]+(?=\.py$)/, names.file);
    const { platform } = scenario;
    const isWindows = platform === 'windows';
    const { home, interpreter } = hosts[platform];
    const place: Place = {
      home: home.replace('USER', user),
      run: names.run,
      marker: names.marker,
      alias: names.alias,
      interpreter,
      separator: isWindows ? '\\' : '/',
      programSuffix: isWindows ? '.exe' : '',
      executables: { collector: { path: '/x', sha256: 'x' } },
      receiptPath: '/r',
    };
    const { argv, cwd } = invocation({ ...step, at }, place, payloads);
    if (platform === 'esxi') return shellLines(scenario.channel, { argv, cwd, user });
    const at0 = { home: place.home, cwd: cwd ?? place.home };
    return starts(step, argv, place, platform).map((start) =>
      processEvent(start, { user, platform, cwd: at0.cwd, when: scenario.when }),
    );
  });
}

type Ready = { readonly argv: readonly [string, ...string[]]; readonly cwd: string | undefined; readonly user: string };

function shellLines(channel: string, { argv, cwd, user }: Ready): readonly object[] {
  const command = { argv, channel: 'exec' as const, ...(cwd !== undefined && { cwd }) };
  const sent = channel === 'shell' ? [...(cwd === undefined ? [] : [posixCd(cwd)]), posixWords(argv)] : [];
  const typed = sent.map((line) => ({ dataset: 'esxi.shell', line, message: `[${user}]: ${line}` }));
  const handed = { dataset: 'esxi.auth', line: execLine(command, 'c0ffee'), message: '' };
  const lines =
    channel === 'shell' ? typed : [{ ...handed, message: `User '${user}' running command '${handed.line}'` }];
  return lines.map(({ dataset, line, message }) => ({
    event: { module: 'esxi', dataset, category: ['process'], type: ['start'] },
    host: { os: { platform: 'esxi' } },
    user: { name: user },
    process: { command_line: line },
    message,
  }));
}

/** The process of the interpreter, those that lead to it and those that the payload starts. */
function starts(step: PythonStep, argv: Ready['argv'], place: Place, platform: Platform): readonly Started[] {
  const line = platform === 'windows' ? windowsCommandLine : (words: readonly string[]) => words.join(' ');
  const session =
    platform === 'windows'
      ? { image: 'C:\\Windows\\System32\\winrshost.exe', line: 'C:\\Windows\\system32\\winrshost.exe -Embedding' }
      : { image: '/bin/zsh', line: '-zsh' };
  const scheduler =
    platform === 'windows'
      ? { image: 'C:\\Windows\\System32\\svchost.exe', line: 'svchost.exe -k netsvcs -p -s Schedule' }
      : { image: '/sbin/launchd', line: '/sbin/launchd' };
  const from = step.via === 'session' ? session : scheduler;
  const leading = step.launcher === undefined ? [] : launched(argv, from, place);
  const [image = '', words] =
    step.launcher !== undefined
      ? [place.interpreter, [place.interpreter, fill(step.at, place), place.marker]]
      : step.interpreter === 'shebang'
        ? [place.interpreter, [place.interpreter, ...argv]]
        : // A link is followed before the program is started.
          [step.interpreter === 'symlink' && platform !== 'windows' ? place.interpreter : argv[0], argv];
  const own = { image, line: line(words), parent: leading.at(-1) ?? from };
  // A single file unpacks itself and starts itself again.
  const again = step.invocation === 'executable' ? [argv] : [];
  const children = [...childrenOf(step), ...again].map((child) => ({
    image: child[0] ?? '',
    line: line(child.map((word, index) => (index === 0 ? word : word.replace('SCRIPT', fill(step.at, place))))),
    parent: own,
  }));
  return [...leading, own, ...children];
}

const system32 = 'C:\\Windows\\System32';

/** What a launcher starts before the interpreter. */
function launched(argv: Ready['argv'], parent: Started['parent'], { home, run }: Place): readonly Started[] {
  const image = `${system32}\\${argv[0]}`;
  const first = { image, line: windowsCommandLine(argv), parent };
  const cmd = argv.at(-1)?.replaceAll('0x22', '"') ?? '';
  if (argv[0] === 'forfiles.exe') return [first, { image: `${system32}\\cmd.exe`, line: cmd, parent: first }];
  if (!argv.join(' ').includes('office-parent.cmd')) return [first];
  const copy = `${home}\\${run}\\winword.exe`;
  return [first, { image: copy, line: `"${copy}" /d /c "${windowsCommandLine(argv.slice(4))}"`, parent: first }];
}

/** The programs that the payloads start, by their names among the arguments; `SCRIPT` is the script's own path. */
function childrenOf({ script, args }: PythonStep): readonly (readonly string[])[] {
  const powershell = [`${system32}\\WindowsPowerShell\\v1.0\\powershell.exe`, '-NoProfile', '-NonInteractive'];
  const cmd = `${system32}\\cmd.exe`;
  if (script === 'shell-download.py')
    return [
      ['/bin/bash', '-c', 'curl --noproxy "*" --silent --max-time 5 --output /dev/null http://127.0.0.1:1/stage'],
    ];
  if (script !== 'start-programs.py') return [];
  const programs: Readonly<Record<string, readonly string[]>> = {
    osascript: ['/usr/bin/osascript', '-e', 'return 1'],
    'git-status': ['/bin/bash', '-c', 'git status --short'],
    'system-version': ['/usr/bin/sw_vers'],
    locale: ['/usr/bin/defaults', 'read', 'NSGlobalDomain', 'AppleLocale'],
    powershell: [...powershell, '-Command', 'exit 0'],
    'powershell-encoded': [...powershell, '-EncodedCommand', 'ZQB4AGkAdAAgADAA'],
    'inventory-script': [...powershell, '-File', 'C:\\ProgramData\\Management\\x\\inventory.ps1'],
    certutil: [`${system32}\\certutil.exe`, '-hashfile', 'SCRIPT', 'SHA256'],
    'whoami-chain': [cmd, '/d', '/c', 'whoami & hostname'],
    tasklist: [cmd, '/c', 'tasklist /nh'],
    'git-version': ['C:\\Program Files\\Git\\cmd\\git.exe', '--version'],
  };
  return args.flatMap((name) => (programs[name] === undefined ? [] : [programs[name]]));
}

type Around = {
  readonly user: string;
  readonly platform: Platform;
  readonly cwd: string;
  readonly when: Form['scenario']['when'];
};

function processEvent({ image, line, parent }: Started, { user, platform, cwd, when }: Around): object {
  return {
    event: { module: platform, category: ['process'], type: ['start'] },
    host: { os: { type: platform } },
    user: { name: user, domain: 'LAB' },
    process: {
      executable: image,
      command_line: line,
      working_directory: platform === 'windows' ? `${cwd}\\` : cwd,
      parent: { executable: parent.image, command_line: parent.line },
    },
    ...(platform === 'windows' && {
      labels: { maintenance_window: when === 'in-maintenance' ? 'inside' : 'outside' },
    }),
  };
}
