import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { zipSync } from 'fflate';
import t from 'tap';
import { fill, invocation } from '../../runner/pipeline/invocation.ts';
import { formsOf, scenariosFolder, shippedScenarios } from './library.ts';

const payloadsFolder = join(scenariosFolder, 'payloads');
const names = readdirSync(payloadsFolder).filter((name) => name.endsWith('.py'));
const forms = formsOf(await shippedScenarios());

const version = await execa('python3', ['-c', 'import sys; print(*sys.version_info[:2])'], { reject: false });
const [major = 0, minor = 0] = version.stdout.split(' ').map(Number);
const tooOld = version.exitCode !== 0 || major < 3 || minor < 10 ? 'needs python3, 3.10 or later' : false;

const payloads = {
  read: (name: string) => readFileSync(join(payloadsFolder, name), 'utf8'),
  zip: (entries: Readonly<Record<string, Uint8Array>>) => zipSync(entries),
  deflate: (bytes: Uint8Array) => bytes,
  executable: () => new Uint8Array(),
};

/** A payload as the runner puts it together, with its receipt. */
function composed(script: string, place: { readonly home: string; readonly receiptPath: string }): string {
  const step = { script, args: [], interpreter: 'plain', invocation: 'stdin', via: 'session' } as const;
  const [form] = forms;
  if (form?.steps[0] === undefined) throw new Error('the library is empty');
  const { stdin } = invocation(
    { ...form.steps[0], ...step },
    {
      ...place,
      run: 'r',
      marker: 'm',
      interpreter: '/usr/bin/python3',
      alias: 'a',
      separator: '/',
      programSuffix: '',
      executables: {},
    },
    payloads,
  );
  return new TextDecoder().decode(stdin);
}

t.test(
  'payloads: each is used, standard library, Python 3.5 syntax, and calls nothing dangerous',
  { skip: tooOld },
  async (t) => {
    const used = new Set(forms.flatMap(({ steps }) => steps.map(({ script }) => script)));
    t.same(
      names.filter((name) => !used.has(name)),
      [],
      'payloads that no scenario runs',
    );
    const sources = Object.fromEntries(
      names.map((name) => [name, composed(name, { home: '/home/x', receiptPath: '/home/x/r/receipt.jsonl' })]),
    );
    const look = async (given: Readonly<Record<string, string>>): Promise<unknown> => {
      const script = join(import.meta.dirname, 'payload-source.py');
      const { stdout } = await execa('python3', [script], { input: JSON.stringify(given) });
      return JSON.parse(stdout) as unknown;
    };
    t.same(await look(sources), Object.fromEntries(names.map((name) => [name, []])));
    const bad = {
      'f-string': "print(f'{1}')",
      walrus: '(a := 1)',
      annotation: 'a: int = 1',
      number: '1_000',
      library: 'import requests',
      module: 'from subprocess import run',
      system: "import os; os.system('id')",
      exec: "import base64; exec(base64.b64decode('aW1wb3J0IG9z'))",
      variable: 'exec(code)',
      writes: "open('/etc/x', 'w')",
      shell: "run('id', shell=True)",
      pty: "import pty; pty.spawn(['/bin/sh'])",
    };
    const found = (await look(bad)) as Readonly<Record<string, readonly string[]>>;
    for (const [what, problems] of Object.entries(found)) t.not(problems.length, 0, `${what}: ${problems.join(', ')}`);
  },
);

t.test(
  'payloads: finish with a receipt, and touch nothing but loopback, the receipt and /bin/true',
  { skip: tooOld },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'detproof-payloads-'));
    t.teardown(() => {
      rmSync(folder, { recursive: true });
    });
    const marker = 'abcdefghij0123456789klmn';
    const runs = new Map(
      forms.flatMap(({ steps }) =>
        steps.map(({ script, args }) => [`${script} ${args.join(' ')}`, { script, args }] as const),
      ),
    );
    let number = 0;
    for (const [what, { script, args }] of runs) {
      number += 1;
      const place = join(folder, String(number));
      mkdirSync(place);
      const receiptPath = join(place, 'receipt.jsonl');
      writeFileSync(join(place, 'run.py'), composed(script, { home: folder, receiptPath }));
      const filled = args.map((arg) => fill(arg, { home: folder, run: 'r', marker }));
      const watch = [join(import.meta.dirname, 'payload-watch.py'), join(place, 'run.py'), ...filled];
      const { exitCode, stderr, stdio } = await execa('python3', ['-I', ...watch], {
        cwd: place,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        env: { http_proxy: 'http://192.0.2.1:9', HTTP_PROXY: 'http://192.0.2.1:9' },
        timeout: 30_000,
        reject: false,
      });
      t.equal(exitCode, 0, `${what} ends well: ${stderr}`);
      const receipt = readFileSync(receiptPath, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
      t.match(receipt, [
        { receipt: 'started', marker },
        { receipt: 'finished', marker, did: /./ },
      ]);
      const events = stdio[3]
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as [string, readonly unknown[]]);
      t.same(
        events.filter((event) => !isHarmless(event, receiptPath)),
        [],
        `${what} does no harm`,
      );
      t.ok(
        events.some(([event, [path]]) => event === 'open' && path === receiptPath),
        `${what} was watched`,
      );
      const destinations = (receipt[1]?.['destinations'] ?? []) as readonly string[];
      const connected = events.filter(([event]) => event === 'socket.connect').map(([, [, address]]) => address);
      t.same(
        [...new Set(connected.map((address) => (address as readonly unknown[]).join(':')))],
        destinations,
        `${what} says where it connected to`,
      );
      t.same(readdirSync(place).sort(), ['receipt.jsonl', 'run.py'], `${what} leaves no other file`);
    }
  },
);

function isHarmless([event, [first, second]]: readonly [string, readonly unknown[]], receiptPath: string): boolean {
  switch (event) {
    case 'open':
      return first === receiptPath;
    case 'socket.bind':
    case 'socket.connect':
      return Array.isArray(second) && second[0] === '127.0.0.1';
    case 'socket.getaddrinfo':
      return first === '127.0.0.1';
    case 'pty.spawn':
      return JSON.stringify(first) === '["/bin/true"]';
    case 'os.exec':
      return first === '/bin/true';
    default:
      return false;
  }
}
