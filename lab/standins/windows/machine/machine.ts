import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Accounts, systemLogon } from './accounts.ts';
import type { Account, Logon } from './accounts.ts';
import { Door } from './door.ts';
import { Environment } from './environment.ts';
import { EventLog } from './event-log.ts';
import { FileTree } from './paths.ts';
import { ProcessEvents } from './process-events.ts';
import { WinProcess } from './process.ts';
import type { ProcessStart } from './process.ts';
import { ProgramNotFound, readProgram } from './program-file.ts';
import { sshSession } from './ssh-session.ts';
import { TaskService } from './task-service.ts';

/** What a program does; its result is the exit code. */
export type Program = (process: WinProcess, machine: Machine) => Promise<number>;

/** What a stand-in host is made of. */
export type MachineOptions = {
  /** The computer's name. */
  readonly name: string;
  readonly tree: FileTree;
  readonly accounts: readonly Account[];
  /** Folder of the event log's files. */
  readonly eventLogs: string;
  /** Names under which program files know them. */
  readonly programs: ReadonlyMap<string, Program>;
  /** Numeric id under which Python runs here; undefined: as this process. */
  readonly uid?: number;
  /** Where the door's Unix socket is to be. */
  readonly doorSocket: string;
};

const endings = /\.(?:pyw?|py[cz]|exe|dll|bat|cmd|ps1|js|vbs)$/i;
const system32 = 'C:\\Windows\\System32';

/**
 * A stand-in Windows host: its drive, its accounts, its processes and its event log. Each process that is started here is
 * one: it has a pid, a parent and an exit code, and leaves the events that Windows' sensors would write of it.
 */
export class Machine {
  readonly name: string;
  readonly tree: FileTree;
  readonly accounts: Accounts;
  readonly tasks: TaskService;
  readonly events: ProcessEvents;
  readonly uid: number | undefined;
  /** By pid; those that have ended are not in it. */
  readonly processes = new Map<number, WinProcess>();
  readonly door: Door;
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #machineId = randomBytes(4).toString('hex');
  readonly #services: { readonly dcom: WinProcess; readonly schedule: WinProcess; readonly ssh: WinProcess };
  readonly #sshConnections = new Map<string, WinProcess>();
  #nextPid = 4096;

  constructor(options: MachineOptions) {
    this.name = options.name;
    this.tree = options.tree;
    this.accounts = new Accounts(options.name, options.accounts);
    this.events = new ProcessEvents(new EventLog(options.eventLogs, options.name), options.name);
    this.uid = options.uid;
    this.#programs = options.programs;
    const services = this.#resident('services.exe', `${system32}\\services.exe`, undefined);
    const svchost = (group: string): WinProcess =>
      this.#resident('svchost.exe', `${system32}\\svchost.exe -k ${group}`, services);
    this.#services = {
      dcom: svchost('DcomLaunch -p'),
      schedule: svchost('netsvcs -p -s Schedule'),
      ssh: this.#resident('OpenSSH\\sshd.exe', `${system32}\\OpenSSH\\sshd.exe`, services),
    };
    this.tasks = new TaskService(this);
    this.door = new Door(this, options.doorSocket, sshSession(this));
  }

  /** The service that starts processes for others: what a remote shell, a task or an SSH session descends from. */
  service(name: 'dcom' | 'schedule' | 'ssh'): WinProcess {
    return this.#services[name];
  }

  /** The sshd.exe of one connection, which all its sessions descend from; it ends after the last of them. */
  sshConnection(client: string): WinProcess {
    const open = this.#sshConnections.get(client);
    if (open !== undefined) return open;
    const { commandLine } = this.#services.ssh;
    const made = this.#resident('OpenSSH\\sshd.exe', `${commandLine} -z`, this.#services.ssh);
    this.#sshConnections.set(client, made);
    return made;
  }

  /** Lets go of a connection's sshd.exe, unless it still has something that runs. */
  leaveSshConnection(client: string): void {
    const open = this.#sshConnections.get(client);
    if (open === undefined || open.children.size > 0) return;
    this.#sshConnections.delete(client);
    open.over(0);
    this.processes.delete(open.pid);
  }

  /** Starts a process. Throws {@link ProgramNotFound} when `image` is no program. It runs on its own; see `exited`. */
  start(start: ProcessStart): WinProcess {
    const image = this.tree.target(start.image) ?? start.image;
    const file = readProgram(this.tree.real(image) ?? '');
    const program = file && this.#programs.get(file.program);
    if (file === undefined || program === undefined) throw new ProgramNotFound(image);
    const process = this.#make({ ...start, image });
    this.events.started(process, file);
    const run = async (): Promise<void> => {
      let code = 1;
      try {
        code = await program(process, this);
      } catch (error) {
        if (!process.signal.aborted) await process.err(`The stand-in failed: ${(error as Error).message}\r\n`);
      } finally {
        process.over(code);
        this.processes.delete(process.pid);
      }
    };
    void run();
    return process;
  }

  /** To be called by everything that has made a file; only those that a sensor's configuration asks for are events. */
  fileCreated(process: WinProcess, windowsPath: string): void {
    if (endings.test(windowsPath)) this.events.fileCreated(process, windowsPath, Date.now());
  }

  /** The variables with which a logon begins. */
  environment(logon: Logon): Environment {
    const profile = logon.sid === systemLogon.sid ? `${system32}\\config\\systemprofile` : `C:\\Users\\${logon.user}`;
    const temp = logon.sid === systemLogon.sid ? 'C:\\Windows\\Temp' : `${profile}\\AppData\\Local\\Temp`;
    return new Environment([
      ['ALLUSERSPROFILE', 'C:\\ProgramData'],
      ['APPDATA', `${profile}\\AppData\\Roaming`],
      ['CommonProgramFiles', 'C:\\Program Files\\Common Files'],
      ['COMPUTERNAME', this.name],
      ['ComSpec', `${system32}\\cmd.exe`],
      ['HOMEDRIVE', 'C:'],
      ['HOMEPATH', profile.slice(2)],
      ['LOCALAPPDATA', `${profile}\\AppData\\Local`],
      ['NUMBER_OF_PROCESSORS', '2'],
      ['OS', 'Windows_NT'],
      [
        'Path',
        `C:\\Program Files\\Python311\\Scripts\\;C:\\Program Files\\Python311\\;${system32};C:\\Windows;${system32}\\Wbem;${system32}\\WindowsPowerShell\\v1.0\\;${system32}\\OpenSSH\\`,
      ],
      ['PATHEXT', '.COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC;.PY;.PYW'],
      ['PROCESSOR_ARCHITECTURE', 'AMD64'],
      ['ProgramData', 'C:\\ProgramData'],
      ['ProgramFiles', 'C:\\Program Files'],
      ['PROMPT', '$P$G'],
      ['PUBLIC', 'C:\\Users\\Public'],
      ['SystemDrive', 'C:'],
      ['SystemRoot', 'C:\\Windows'],
      ['TEMP', temp],
      ['TMP', temp],
      ['USERDOMAIN', logon.domain],
      ['USERNAME', logon.user],
      ['USERPROFILE', profile],
      ['windir', 'C:\\Windows'],
    ]);
  }

  /** The profile folder of an account. */
  home(logon: Logon): string {
    return this.environment(logon).get('USERPROFILE') ?? 'C:\\';
  }

  /** Ends every process that was started, and lets nobody in any more. */
  async close(): Promise<void> {
    this.tasks.close();
    const services = new Set<WinProcess>([...Object.values(this.#services), ...this.#sshConnections.values()]);
    const running = [...this.processes.values()].filter((process) => !services.has(process));
    for (const process of running) process.kill(1);
    await Promise.all(running.map(({ exited }) => exited));
    await this.door.close();
  }

  /** A service that runs since the host's start; its events are as old and not in the log. */
  #resident(name: string, commandLine: string, parent: WinProcess | undefined): WinProcess {
    const nothing = { write: () => undefined };
    return this.#make({
      image: `${system32}\\${name}`,
      commandLine,
      cwd: system32,
      env: new Environment(),
      logon: systemLogon,
      parent,
      stdin: Readable.from([]),
      stdout: nothing,
      stderr: nothing,
    });
  }

  #make(start: ProcessStart): WinProcess {
    // Pids are multiples of four, and not used again while anybody could confuse them.
    this.#nextPid = this.#nextPid >= 0xfff0 * 16 ? 4096 : this.#nextPid + 4;
    const guid = `{${this.#machineId}-${randomUUID().slice(9)}}`;
    const process = new WinProcess(this.#nextPid, guid, start, Date.now());
    this.processes.set(process.pid, process);
    return process;
  }
}
