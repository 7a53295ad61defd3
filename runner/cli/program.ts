import { Command, CommanderError, Option } from 'commander';
import { formatProblem } from '../load/problem.ts';
import { type App, BadInput, Exit, exitCodes, type Told } from './app.ts';
import type { RunOptions } from './conduct.ts';
import { discover, type DiscoverOptions } from './discover.ts';
import { doctor, type DoctorOptions } from './doctor.ts';
import { cleanup, type KeptRunOptions, observe, resume } from './kept-run.ts';
import { importFile, type ImportOptions } from './import.ts';
import { lint } from './lint.ts';
import type { LibraryOptions } from './material.ts';
import { list, listable } from './list.ts';
import { report, stop, whose } from './look.ts';
import { plan } from './plan.ts';
import { say, sayJson, tell } from './print.ts';
import { run } from './run.ts';

const closing = `
Exit codes, the first that applies: 130 interrupted (after clean-up), 2 bad input, 5 something was left behind on a target,
4 refused (scope, window, approval), 1 worse than expected, 3 could not tell, 0 all as expected.

Start here:   detproof lab up && detproof run --yes && detproof lab down`;

/** Runs one command line; returns the exit code. Errors of the user's making are one clear message, never a stack trace. */
export async function main(app: App, argv: readonly string[]): Promise<number> {
  // A reader that went away (`| head`, a closed terminal) must not end a run without its clean-up.
  for (const stream of [app.stdout, app.stderr]) stream.on('error', () => undefined);
  let exitCode = 0;
  const program = build(app, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(app, error, argv.includes('--json'));
  }
}

/** What the run store throws when the run that was named is none, or is no longer what was written. */
const badRuns: ReadonlySet<string> = new Set(['UnknownRun', 'JournalBroken']);

function explain(app: App, error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.badInput;
  if (error instanceof BadInput) {
    for (const problem of error.problems) tell(app, formatProblem(problem));
    tell(app, `${error.problems.length} problem${error.problems.length === 1 ? '' : 's'}; nothing was run.`);
    if (json) sayJson(app, { problems: error.problems });
    return error.exitCode;
  }
  if (error instanceof Exit) {
    if (error.message !== '') tell(app, error.message);
    return error.exitCode;
  }
  // What the file system, a plug-in or the journal says is for people too; the stack is for whoever asks for it.
  tell(app, error instanceof Error ? `Error: ${error.message}` : String(error));
  if (process.env['DETPROOF_DEBUG'] !== undefined && error instanceof Error) tell(app, error.stack ?? '');
  if (error instanceof Error && error.name === 'RunsUnread') return exitCodes.inconclusive;
  return error instanceof Error && badRuns.has(error.name) ? exitCodes.badInput : exitCodes.refused;
}

function build(app: App, end: (exitCode: number) => void): Command {
  const program = new Command('detproof')
    .description(
      'Would we have seen it? Runs benign Python execution scenarios on your hosts, asks your SIEM what it saw of each,\nand shows the coverage of MITRE ATT&CK detection strategy DET0063 (T1059.006), with evidence.',
    )
    .version(app.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => app.stdout.write(text),
      writeErr: (text) => app.stderr.write(text),
    })
    .configureHelp({ helpWidth: 118 })
    .showHelpAfterError('(see detproof --help)')
    .addHelpText('after', closing);

  const inventory = (): Option => new Option('-i, --inventory <file>', 'the inventory').default('inventory.yaml');
  const library = (): Option =>
    new Option(
      '-l, --library <folder>',
      'scenarios, payloads and detections of your own, instead of those that come with detproof',
    );
  const out = (): Option => new Option('-o, --out <folder>', 'where runs are kept').default('out');
  const json = (): Option => new Option('--json', 'machine-readable result on stdout');
  const verb = (name: string, text: string, ...options: readonly Option[]): Command => {
    const command = program.command(name).description(text).helpOption('-h, --help', 'show this help').exitOverride();
    for (const option of options) command.addOption(option);
    return command;
  };
  const targets = (): Option =>
    new Option(
      '-t, --targets <expression>',
      "only these: 'role=web-server and not zone=dmz', ids and globs; by id, platform, group, role, zone, owner, criticality, fidelity, transport",
    );
  const choosing = (): readonly Option[] => [
    targets(),
    new Option(
      '-s, --scenarios <expression>',
      "only these: 'element=ScriptDir and not purpose=twin', ids and globs; by id, purpose, element, analytic, platform, channel, source",
    ),
    new Option('--sample <n>', 'of the targets, n of each role in each zone; all sets aside what the inventory says'),
    new Option('--seed <text>', 'what decides which are in the sample'),
    new Option('--no-variants', 'leave variants out'),
  ];
  const yes = (): Option => new Option('-y, --yes', 'do not ask before running');

  verb(
    'lint',
    'Check inventory and scenarios; every problem with its place and what to do',
    inventory(),
    library(),
    json(),
  ).action(async (options: LibraryOptions & { json?: boolean }) => {
    end(await lint(app, options));
  });
  verb('list', `List what there is: ${listable.join(', ')}`, inventory(), library(), out(), json())
    .argument('[what]', listable.join(' | '), 'scenarios')
    .action(async (what: string, options: { inventory: string; out: string; json?: boolean }) => {
      const known = listable.find((one) => one === what);
      if (known === undefined)
        throw new Exit(exitCodes.badInput, `Cannot list ${what}; known: ${listable.join(', ')}.`);
      end(await list(app, known, options));
    });
  verb(
    'plan',
    'Show what would run where, and what is left out and why; touches nothing',
    inventory(),
    library(),
    out(),
    ...choosing(),
    json(),
  )
    .option('--owners <folder>', 'write a page for each owner: exact commands, files, network, clean-up, how to stop')
    .action(async (options: RunOptions & { owners?: string }) => {
      end(await plan(app, options));
    });
  verb(
    'import',
    'Make targets of a CSV or JSON file, and show what it and the inventory say differently',
    inventory(),
    json(),
  )
    .argument('<file>', 'the file with the hosts')
    .requiredOption('--map <file>', 'YAML file that says which column means which field of a target')
    .option('--into <file>', 'YAML file to write the targets to; an inventory includes it with targetsFrom')
    .action(async (file: string, options: ImportOptions) => {
      end(await importFile(app, file, options));
    });
  verb(
    'run',
    'Plan, execute, ask the SIEM, judge and report',
    inventory(),
    library(),
    out(),
    ...choosing(),
    yes(),
    json(),
  ).action(async (options: RunOptions) => {
    end(await run(app, options, true));
  });
  verb(
    'execute',
    'Plan and execute only; the SIEM is asked later, with observe, from here or elsewhere',
    inventory(),
    library(),
    out(),
    ...choosing(),
    yes(),
    json(),
  ).action(async (options: RunOptions) => {
    end(await run(app, options, false));
  });
  const ofRun = (
    name: string,
    text: string,
    work: (app: App, id: string | undefined, options: KeptRunOptions) => Promise<number>,
  ): void => {
    verb(name, text, inventory(), library(), out(), json())
      .argument('[run]', 'id of the run; the newest when left out')
      .action(async (id: string | undefined, options: KeptRunOptions) => {
        end(await work(app, id, options));
      });
  };
  ofRun('observe', 'Ask the SIEM about an executed run, judge and report; touches no target', observe);
  ofRun(
    'resume',
    'Finish a run that was killed, stopped or interrupted: clean up what it broke off, then run the rest',
    resume,
  );
  ofRun('cleanup', 'Remove what a run left on targets; allowed after the window has closed', cleanup);
  verb('stop', 'Stop a running run from another terminal: no further step starts, clean-up runs', out(), json())
    .argument('[run]', 'id of the run; the newest when left out')
    .action(async (id: string | undefined, options: KeptRunOptions) => {
      end(await stop(app, id, options));
    });
  verb('report', 'Render the report of a run again, to stdout', out(), json())
    .argument('[run]', 'id of the run; the newest when left out')
    .option('-f, --format <kind>', `one of ${[...app.reports.keys()].join(', ')}`, 'terminal')
    .action(async (id: string | undefined, options: KeptRunOptions & { format?: string }) => {
      end(await report(app, id, options));
    });
  verb(
    'whose',
    'For the SOC: which run, host, scenario and operator a marker belongs to, and how to stop it',
    out(),
    json(),
  )
    .argument('<marker>', 'the marker from a command line, an event or an alert')
    .action(async (marker: string, options: KeptRunOptions) => {
      end(await whose(app, marker, options));
    });
  verb(
    'doctor',
    'Check whether this machine, the SIEMs and the targets have what it takes; logs in, and puts nothing there',
    inventory(),
    library(),
    out(),
    targets(),
    json(),
  )
    .option('--no-hosts', 'look at this machine and the SIEMs only; touches no target')
    .action(async (options: DoctorOptions) => {
      end(await doctor(app, options));
    });
  verb(
    'discover',
    'List the Python interpreters of the targets against what the inventory expects there, and whose they are',
    inventory(),
    targets(),
    json(),
  )
    .option('--csv', 'the table as CSV on stdout')
    .action(async (options: DiscoverOptions) => {
      end(await discover(app, options));
    });
  lab(app, verb('lab', 'The small range on this machine, for a first run and for tests (docs/lab.md)'), out, json, end);
  return program;
}

function lab(app: App, parent: Command, out: () => Option, json: () => Option, end: (exitCode: number) => void): void {
  const tellAll = (told: Told, options: { json?: boolean }): void => {
    if (options.json === true) sayJson(app, told.json);
    else for (const line of told.lines) say(app, line);
  };
  const verb = (
    name: string,
    text: string,
    work: (stateDir: string, options: { json?: boolean }) => Promise<number>,
  ): void => {
    parent
      .command(name)
      .description(text)
      .addOption(out())
      .addOption(json())
      .exitOverride()
      .action(async (options: { out: string; json?: boolean }) => {
        end(await work(`${options.out}/lab`, options));
      });
  };
  verb('up', 'Start two lab hosts, kernel audit and a small SIEM (as root)', async (stateDir, options) => {
    tellAll(
      await app.lab.up(stateDir, (line) => {
        tell(app, line);
      }),
      options,
    );
    return 0;
  });
  verb('down', 'Take the lab down and restore what was there before', async (stateDir, options) => {
    const told = await app.lab.down(stateDir);
    tellAll(told, options);
    return told.restored ? 0 : exitCodes.leftBehind;
  });
  verb('status', 'What runs of the lab, and the state of the kernel audit system', async (stateDir, options) => {
    tellAll(await app.lab.status(stateDir), options);
    return 0;
  });
}
