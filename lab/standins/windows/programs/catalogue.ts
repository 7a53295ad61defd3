import type { Program } from '../machine/machine.ts';
import type { ProgramFile } from '../machine/program-file.ts';
import { cmd } from './cmd.ts';
import { powershell } from './powershell.ts';
import { python } from './python.ts';
import { hostname, tasklist, whoami } from './system-info.ts';

/** A program of the stand-in and the files it is installed as. */
type Installed = Omit<ProgramFile, 'hashes'> & { readonly run: Program; readonly files: readonly string[] };

const system32 = 'C:\\Windows\\System32';

function windows(program: string, description: string, run: Program, more: Partial<Installed> = {}): Installed {
  return {
    program,
    originalName: program,
    description,
    product: 'Microsoft\u00ae Windows\u00ae Operating System',
    company: 'Microsoft Corporation',
    version: '10.0.20348.1 (WinBuild.160101.0800)',
    run,
    files: [`${system32}\\${program}`],
    ...more,
  };
}

const pythonFile = {
  description: 'Python',
  product: 'Python',
  company: 'Python Software Foundation',
  version: '3.11.2',
} as const;

/** Does nothing until it is ended. */
const resident: Program = ({ signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(0);
    });
  });

/** Every program of the stand-in. Original file names are those of the real files' version resources. */
export const catalogue: readonly Installed[] = [
  windows('cmd.exe', 'Windows Command Processor', cmd, { originalName: 'Cmd.Exe' }),
  windows('whoami.exe', 'whoami - displays logged on user information', whoami),
  windows('hostname.exe', 'Hostname APP', hostname),
  windows('tasklist.exe', 'Lists the current running tasks', tasklist),
  windows('powershell.exe', 'Windows PowerShell', powershell, {
    originalName: 'PowerShell.EXE',
    files: [`${system32}\\WindowsPowerShell\\v1.0\\powershell.exe`],
  }),
  windows('winrshost.exe', "Host Process for WinRM's Remote Shell plugin", resident),
  {
    ...pythonFile,
    program: 'python.exe',
    originalName: 'python.exe',
    run: python,
    files: ['C:\\Program Files\\Python311\\python.exe'],
  },
];

/** By the names under which their files know them. */
export const programs: ReadonlyMap<string, Program> = new Map(catalogue.map(({ program, run }) => [program, run]));
