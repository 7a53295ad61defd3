import type { Program } from '../machine/machine.ts';
import type { ProgramFile } from '../machine/program-file.ts';
import { cmd } from './cmd.ts';
import { forfiles, py, wscript } from './launchers.ts';
import { powershell } from './powershell.ts';
import { python, pythonWithoutConsole } from './python.ts';
import { schtasks } from './schtasks.ts';
import { certutil, chcp, ping, runas, taskkill, where } from './small-tools.ts';
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
  windows('certutil.exe', 'CertUtil.exe', certutil, { originalName: 'CertUtil.exe' }),
  windows('chcp.com', 'Change CodePage Utility', chcp, { originalName: 'CHCP.COM' }),
  windows('forfiles.exe', 'ForFiles - Executes a command on selected files', forfiles),
  windows('ping.exe', 'TCP/IP Ping Command', ping),
  windows('runas.exe', 'Run As Utility', runas, { originalName: 'RUNAS.EXE' }),
  windows('schtasks.exe', 'Task Scheduler Configuration Tool', schtasks, { originalName: 'schtasks.exe' }),
  windows('taskkill.exe', 'Terminates Processes', taskkill),
  windows('where.exe', 'Where - Lists location of files', where),
  windows('wscript.exe', 'Microsoft \u00ae Windows Based Script Host', wscript),
  windows('cscript.exe', 'Microsoft \u00ae Console Based Script Host', wscript),
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
  {
    ...pythonFile,
    program: 'pythonw.exe',
    originalName: 'pythonw.exe',
    run: pythonWithoutConsole,
    files: ['C:\\Program Files\\Python311\\pythonw.exe'],
  },
  { ...pythonFile, program: 'py.exe', originalName: 'py.exe', run: py, files: ['C:\\Windows\\py.exe'] },
];

/** Libraries that lie beside python.exe; nothing here loads them. */
export const pythonLibraries = ['python3.dll', 'python311.dll', 'vcruntime140.dll'].map(
  (name) => `C:\\Program Files\\Python311\\${name}`,
);

/** By the names under which their files know them. */
export const programs: ReadonlyMap<string, Program> = new Map(catalogue.map(({ program, run }) => [program, run]));
