import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Redactor } from '../../runner/store/redact.ts';
import { SecretVariables } from '../../runner/store/secret-variables.ts';
import { SecretReader } from '../../runner/store/secrets.ts';

function redactorOf(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add('env:PASSWORD', Buffer.from(secret));
  return redactor;
}

/** Ways in which a secret gets into what is kept, with the way back, by which a reader would get it out again. */
const encodings: readonly {
  readonly name: string;
  readonly write: (secret: string) => string;
  readonly read: (text: string) => string;
}[] = [
  { name: 'as it is', write: (text) => text, read: (text) => text },
  { name: 'JSON', write: (text) => JSON.stringify(text).slice(1, -1), read: unescaped },
  {
    name: 'JSON in ASCII, as Python writes it',
    write: (text) =>
      JSON.stringify(text)
        .slice(1, -1)
        .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    read: unescaped,
  },
  {
    name: 'JSON with escaped slashes',
    write: (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
    read: unescaped,
  },
  { name: 'URL', write: encodeURIComponent, read: decoded },
  { name: 'URL, slashes kept', write: (text) => encodeURIComponent(text).replaceAll('%2F', '/'), read: decoded },
  {
    name: 'URL, every byte, lower case',
    write: (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    read: decoded,
  },
  {
    name: 'form',
    write: (text) => new URLSearchParams({ x: text }).toString().slice(2),
    read: (text) => decoded(text.replaceAll('+', ' ')),
  },
  { name: 'hex', write: (text) => Buffer.from(text).toString('hex'), read: (text) => anyHex(text) },
  { name: 'HEX', write: (text) => Buffer.from(text).toString('hex').toUpperCase(), read: (text) => anyHex(text) },
  {
    name: 'HTML',
    write: (text) => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`),
    read: (text) => text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))),
  },
  {
    name: 'shell',
    write: (text) => `'${text.replaceAll("'", `'\\''`)}'`,
    read: (text) => text.replaceAll(`'\\''`, "'"),
  },
];

function unescaped(text: string): string {
  return text
    .replace(/\\u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\([nrtbf"\\/])/g, (_, one: string) => ({ n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' })[one] ?? one);
}

function decoded(text: string): string {
  return Buffer.from(
    text.replace(/%([0-9a-f]{2})/gi, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16))),
    'latin1',
  ).toString('utf8');
}

function anyHex(text: string): string {
  return (text.match(/(?:[0-9a-f]{2})+/gi) ?? []).map((run) => Buffer.from(run, 'hex').toString('utf8')).join(' ');
}

const secretText = fc
  .string({ unit: 'binary', minLength: 8, maxLength: 40 })
  .filter((text) => text.isWellFormed() && text.trim() === text && new Set(text).size > 4 && !text.includes('\0'));
/** What stands around a secret; without letters and digits, which some encodings would take for a part of it. */
const around = fc.constantFrom('', ' ', '"', '{"x":"', '\n', '=', '&', '…', ' : ');

t.test('redaction: a planted secret never survives, in whichever encoding it is written', (t) => {
  for (const { name, write, read } of encodings)
    fc.assert(
      fc.property(secretText, around, around, (secret, before, after) => {
        const redactor = redactorOf(secret);
        const text = redactor.text(`${before}${write(secret)}${after}`);
        for (const left of [text, read(text)])
          if (left.includes(secret))
            throw new Error(`${name}: ${JSON.stringify(secret)} is in ${JSON.stringify(left)}`);
        if (!text.includes('«secret:env:PASSWORD:'))
          throw new Error(`${name}: nothing says that a secret was here: ${text}`);
      }),
      { numRuns: 300 },
    );
  t.pass('in every encoding');
  t.end();
});

t.test('redaction: a secret within Base64 of something longer does not survive either', (t) => {
  fc.assert(
    fc.property(
      secretText,
      fc.string({ maxLength: 5 }),
      fc.string({ maxLength: 5 }),
      fc.boolean(),
      (secret, before, after, isUrl) => {
        const encoding = isUrl ? 'base64url' : 'base64';
        const text = redactorOf(secret).text(
          `token ${Buffer.from(`${before}${secret}${after}`).toString(encoding)} end`,
        );
        const pieces = text.replace(/«[^»]*»/g, ' ').split(/[^A-Za-z0-9+/=_-]+/);
        for (const piece of pieces)
          if (Buffer.from(piece, encoding).toString('utf8').includes(secret)) throw new Error(text);
        if (!text.includes('«secret:')) throw new Error(`unchanged: ${text}`);
      },
    ),
    { numRuns: 1_000 },
  );
  t.match(
    redactorOf('hunter2hunter').text(`Authorization: Basic ${Buffer.from('admin:other-secret').toString('base64')}`),
    /«secret:authorization»$/,
  );
  const wide = Buffer.from('$p = "hunter2hunter"', 'utf16le').toString('base64');
  t.notMatch(
    Buffer.from(redactorOf('hunter2hunter').text(wide), 'base64').toString('utf16le'),
    /hunter2hunter/,
    'PowerShell',
  );
  t.end();
});

t.test('redaction: a key of several lines is known whole, line by line, and in Base64', (t) => {
  const lines = Array.from({ length: 30 }, (_, index) =>
    Buffer.from(`line ${index} of the key ${'x'.repeat(30)}`).toString('base64'),
  );
  const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
  const redactor = redactorOf(key);
  for (const written of [
    key,
    key.trim(),
    key.replaceAll('\n', '\r\n'),
    JSON.stringify({ key }),
    Buffer.from(key).toString('base64'),
    lines[7] ?? '',
    encodeURIComponent(key),
  ]) {
    const text = redactor.text(`before ${written} after`);
    for (const line of lines) t.notOk(text.includes(line), 'no line of it');
    t.match(text, /^before .*«secret:/s);
    t.match(text, / after$/);
  }
  const unknown = new Redactor().text(`x ${key} y`);
  t.equal(unknown, 'x «secret:private-key»\n y', 'by its shape, whoever it belongs to');
  t.end();
});

t.test('redaction: other text stays as it is, byte for byte', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const redactor = redactorOf('correct horse battery staple', 'tr0ub4dor&3');
      if (redactor.bytes(bytes) !== bytes) throw new Error('changed');
    }),
  );
  const redactor = redactorOf('s3cr3t-value');
  for (const text of ['s3cr3t', 'S3CR3T-VALUE', 's3cr3t value', 'the authorization: none', 'eyJ.eyJ.x'])
    t.equal(redactor.text(text), text);
  t.equal(redactor.text('a s3cr3t-value b s3cr3t-value').match(/«secret:env:PASSWORD:[0-9a-f]{8}»/g)?.length, 2);
  t.equal(new Set(redactor.text('s3cr3t-value s3cr3t-value').split(' ')).size, 1, 'equal secrets can be told equal');
  t.notOk(
    redactorOf('s3cr3t-value').text('s3cr3t-value') === redactor.text('s3cr3t-value'),
    'and not be guessed from run to run',
  );
  t.end();
});

t.test('redaction: secrets too short to be told from ordinary text are refused where they are read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'short'), 'abc');
  writeFileSync(join(folder, 'good'), 'from the file\n');
  process.env['DETPROOF_TEST_SECRET'] = 'from the environment';
  process.env['DETPROOF_TEST_SHORT'] = 'abc';
  t.teardown(() => {
    delete process.env['DETPROOF_TEST_SECRET'];
    delete process.env['DETPROOF_TEST_SHORT'];
  });
  const redactor = new Redactor();
  const reader = new SecretReader(folder, redactor, new SecretVariables(process.env, redactor));
  t.equal(Buffer.from(await reader.read('env:DETPROOF_TEST_SECRET')).toString(), 'from the environment');
  t.equal(process.env['DETPROOF_TEST_SECRET'], undefined, 'no child process gets it');
  t.equal(Buffer.from(await reader.read('file:good')).toString(), 'from the file\n');
  t.equal(Buffer.from(await reader.read("exec:printf 'from the command\\n'")).toString(), 'from the command');
  for (const secret of ['from the environment', 'from the file', 'from the command'])
    t.notMatch(redactor.text(`x ${secret} y`), secret, 'what was read is known');

  const wrong: readonly (readonly [reference: string, message: RegExp])[] = [
    ['env:DETPROOF_TEST_SHORT', /env:DETPROOF_TEST_SHORT gives a secret of less than 6 bytes/],
    ['env:DETPROOF_TEST_ABSENT', /env:DETPROOF_TEST_ABSENT is not set/],
    ['file:short', /file:short gives a secret of less than 6 bytes/],
    ['file:absent', /^file:absent cannot be read \(ENOENT\)$/],
    ['exec:printf abc', /^exec:… gives a secret of less than 6 bytes/],
    ['exec:echo hunter2hunter; echo hunter2hunter >&2; exit 3', /^the command of an exec: secret ended with code 3$/],
    ['hunter2hunter', /^a secret is given as env:NAME, file:PATH or exec:COMMAND$/],
  ];
  for (const [reference, message] of wrong) {
    const error = await reader.read(reference).catch((one: unknown) => one);
    if (!(error instanceof Error)) throw new Error(`${reference} was read`);
    t.match(error.message, message);
    t.notMatch(
      `${error.message} ${String(error.stack)} ${String(error.cause)}`,
      /hunter2|abc$/,
      'no word of the value',
    );
  }
});

t.test('secrets: variables that an inventory refers to leave the environment, where an agent listens does not', (t) => {
  const environment: NodeJS.ProcessEnv = {
    ...{ PASSWORD: 'of a host', PASSPHRASE: 'of a jump host', TOKEN: 'of a SIEM' },
    ...{ SSH_AUTH_SOCK: '/agent', PATH: '/bin' },
  };
  const redactor = new Redactor();
  const variables = new SecretVariables(environment, redactor);
  const accounts = [{ password: 'env:PASSWORD' }, { agent: 'env:SSH_AUTH_SOCK', key: 'env:ABSENT' }];
  const transport = { settings: { jump: [{ passphrase: 'env:PASSPHRASE' }] } };
  variables.takeAll({
    targets: [{ transport, accounts: accounts.map((settings) => ({ settings })) }],
    siems: [{ settings: { token: 'env:TOKEN', timeoutMs: 5 } }],
  });
  t.same(environment, { SSH_AUTH_SOCK: '/agent', PATH: '/bin' });
  t.match(redactor.text('says of a jump host'), /^says «secret:env:PASSPHRASE/, 'before anybody needed it');
  t.equal(variables.read('PASSWORD'), 'of a host');
  t.equal(variables.read('PASSPHRASE'), 'of a jump host');
  t.equal(variables.read('SSH_AUTH_SOCK'), '/agent');
  t.equal(variables.read('ABSENT'), undefined);
  t.end();
});
