import { createHash } from 'node:crypto';
import { stripVTControlCharacters } from 'node:util';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import type { Figure } from '../../runner/domain/run-report.ts';
import matrix from '../../reports/matrix-html.ts';
import terminal, { renderSummary } from '../../reports/terminal.ts';
import { columns, fit, wrap } from '../../reports/shared/columns.ts';
import { percentage } from '../../reports/shared/figures.ts';
import { layOut } from '../../reports/shared/json-layout.ts';
import { Rendered, renderTemplate } from '../../reports/shared/template.ts';
import { visible, visibleBlock } from '../../reports/shared/visible.ts';
import { runReport } from '../fakes/run-report.ts';
import { hostileText, poisoned } from './hostile.ts';
import { openReport } from './open-report.ts';

const acts = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

async function golden(name: string, text: string): Promise<string> {
  const file = new URL(`golden/${name}`, import.meta.url);
  if (process.env.UPDATE_GOLDEN === '1') {
    await mkdir(new URL('golden/', import.meta.url), { recursive: true });
    await writeFile(file, text);
  }
  return readFile(file, 'utf8');
}

t.test('reports: the same run gives the bytes of the golden files, twice', async (t) => {
  const few = new Set(['linux/script-in-hidden-directory', 'linux/one-shot-cron-entry', 'linux/control-execve']);
  const runs = {
    few: () => runReport(['lab-siem'], ({ scenario }) => few.has(scenario)),
    whole: () => runReport(),
    'two-siems': () => runReport(['lab-siem', 'archive']),
  };
  for (const [plugin, names] of [
    [matrix, ['few']],
    [terminal, ['whole', 'two-siems']],
  ] as const) {
    const reporter = await openReport(plugin);
    for (const name of names)
      for (const { path, text } of reporter.render(runs[name]())) {
        const again = reporter.render(runs[name]()).find((file) => file.path === path);
        t.ok(text === again?.text, `${path} of ${name} is rendered the same again`);
        const expected = await golden(`${name}.${path}.golden`, text);
        t.ok(text === expected, `${path} of ${name} is as agreed (UPDATE_GOLDEN=1 rewrites it)`);
      }
  }
});

t.test('reports: the order in which a run lists things does not change a byte', async (t) => {
  const run = runReport(['lab-siem', 'archive']);
  const shuffled = {
    ...run,
    executions: run.executions.toReversed(),
    matrix: {
      ...run.matrix,
      elements: run.matrix.elements.toReversed(),
      sources: run.matrix.sources.toReversed(),
      scenarios: run.matrix.scenarios.toReversed(),
    },
    excerpts: Object.fromEntries(Object.entries(run.excerpts).toReversed()),
  };
  for (const plugin of [matrix, terminal]) {
    const reporter = await openReport(plugin);
    t.ok(reporter.render(run)[0]?.text === reporter.render(shuffled)[0]?.text, plugin.kind);
  }
});

/** Names of elements and their attributes in order, whatever the text between them. */
function structure(html: string): string {
  const tags = html.match(/<[^>]*>/g) ?? [];
  return tags.map((tag) => tag.replace(/"[^"]*"/g, '""')).join('\n');
}

t.test('matrix: hostile text in every field neither acts nor changes the structure of the page', async (t) => {
  const reporter = await openReport(matrix);
  const run = runReport();
  const page = (prefix: string): string => reporter.render(poisoned(run, prefix))[0]?.text ?? '';
  const harmless = structure(page('h'));
  t.match(harmless, /<table class="">/);
  fc.assert(
    fc.property(hostileText, (text) => {
      const html = page(text);
      const seen = html.replaceAll('\n', '').replaceAll('\t', '');
      return !acts.test(seen) && structure(html) === harmless;
    }),
    { numRuns: 25 },
  );
});

t.test('terminal: hostile text in every field is one line of visible characters, no wider than asked', (t) => {
  const run = runReport();
  fc.assert(
    fc.property(hostileText, fc.integer({ min: 60, max: 140 }), (text, width) => {
      const lines = renderSummary(poisoned(run, text), { color: false, width, page: text }).split('\n');
      return lines.every((line) => !acts.test(line) && columns(line) <= width);
    }),
    { numRuns: 25 },
  );
  t.end();
});

t.test('terminal: colour adds escapes and changes no other character', (t) => {
  const plain = renderSummary(runReport(), { color: false, width: 100 });
  const coloured = renderSummary(runReport(), { color: true, width: 100 });
  t.not(coloured, plain);
  t.equal(stripVTControlCharacters(coloured), plain);
  t.end();
});

t.test(
  'matrix: the content security policy of the page allows its own style and script, and nothing else',
  async (t) => {
    const html = (await openReport(matrix)).render(runReport())[0]?.text ?? '';
    const hashOf = (element: 'style' | 'script'): string => {
      const text = new RegExp(`<${element}>(.*?)</${element}>`, 's').exec(html)?.[1] ?? '';
      return `sha256-${createHash('sha256').update(text).digest('base64')}`;
    };
    t.equal(
      /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1],
      `default-src 'none'; style-src '${hashOf('style')}'; script-src '${hashOf('script')}'; img-src data:; base-uri 'none'; form-action 'none'`,
    );
    t.equal(html.match(/<script/g)?.length, 1);
  },
);

t.test('matrix: every element, official source and hop of the strategy is on the page, tested or not', async (t) => {
  const run = runReport();
  const html = (await openReport(matrix)).render(run)[0]?.text ?? '';
  for (const analytic of run.attack.analytics) {
    for (const { field } of analytic.elements) t.match(html, `<span class="el-name">${field}</span>`);
    for (const { name } of analytic.logSources) t.match(html, `<span class="el-name mono">${name}</span>`);
  }
  t.match(html, '3 of 14 elements and 2 of 9 official log sources were tested on real hosts in this run.');
  t.match(html, run.run.journal.headSha256);
  t.match(html, run.attack.notice);
});

t.test('template: a missing name, an unknown partial and unrendered markup are errors', (t) => {
  const render = (text: string, view: object): string => renderTemplate(new Map([['page', text]]), 'page', view);
  t.equal(
    render('{{a}} {{#list}}[{{.}}]{{/list}}', { a: '<&"\u001b', list: ['x', 'y'] }),
    '&lt;&amp;&quot;\\x1b [x][y]',
  );
  t.equal(render('{{{a}}}', { a: new Rendered('<b>') }), '<b>');
  t.throws(() => render('{{missing}}', { a: 'x' }), { message: /\{\{missing\}\}/ });
  t.throws(() => render('{{#missing}}x{{/missing}}', { a: 'x' }), { message: /\{\{missing\}\}/ });
  t.throws(
    () => render('{{#inner}}{{a}}{{/inner}}', { a: 'x', inner: { b: 'y' } }),
    { message: /\{\{a\}\}/ },
    'of an outer section',
  );
  t.throws(() => render('{{constructor}}', {}), { message: /constructor/ }, 'inherited');
  t.throws(() => render('{{{a}}}', { a: '<b>' }), { message: /not markup/ });
  t.throws(() => render('{{> other}}', {}), { message: /other/ });
  t.end();
});

t.test('figures: a percentage is left out or weakened where it would mislead', (t) => {
  const figure = (share: number, of: number, rest: Partial<Figure> = {}): Figure => ({
    share,
    of,
    inconclusive: 0,
    notTested: 0,
    hostsTested: 2,
    hostsInScope: 2,
    ...rest,
  });
  t.equal(percentage(figure(0, 0)), undefined, 'nothing judged');
  t.equal(percentage(figure(4, 13)), '31 %');
  t.equal(percentage(figure(5, 5)), '100 %');
  t.equal(percentage(figure(5, 5, { hostsTested: 1, hostsInScope: 1 })), undefined, 'one host is never 100 %');
  t.equal(percentage(figure(5, 5, { inconclusive: 1 })), undefined);
  t.equal(percentage(figure(5, 5, { notTested: 1 })), undefined);
  t.equal(percentage(figure(5, 5, { hostsInScope: 3 })), undefined);
  t.equal(percentage(figure(999, 1000)), '> 99 %');
  t.equal(percentage(figure(1, 1000)), '< 1 %');
  t.equal(percentage(figure(0, 7)), '0 %');
  t.end();
});

t.test('visible: what acts is written out, what is long is cut with a note', (t) => {
  t.equal(visible('a\u001b[31mb\nc\u202ed\u{e0041}\ud800'), 'a\\x1b[31mb\\nc\\u202ed\\u{e0041}\\ud800');
  t.equal(visible('ab'.repeat(10), 4), 'abab … [cut: 16 more characters]');
  t.equal(visible('a\u{1f680}b', 2), 'a … [cut: 3 more characters]', 'no half of a pair');
  t.equal(visibleBlock('a\r\n\tb\rc'), 'a\n\tb\\rc');
  t.equal(visible('e\u0301'), 'e\u0301', 'ordinary combining marks stay');
  t.end();
});

t.test('json layout: tokens stay as they are, and what is not JSON is left alone', (t) => {
  t.equal(
    layOut('{"a":12345678901234567890,"a":[],"b":"{,}\\"","c":[1,{}]}'),
    '{\n  "a": 12345678901234567890,\n  "a": [],\n  "b": "{,}\\"",\n  "c": [\n    1,\n    {}\n  ]\n}',
  );
  t.equal(layOut('{"a":1}\n{"b":2}\n'), '{\n  "a": 1\n}\n{\n  "b": 2\n}');
  for (const text of ['', 'plain', '{"a":1', '{"a":1}\nplain', '12']) t.equal(layOut(text), undefined, text);
  fc.assert(
    fc.property(fc.json(), (json) => {
      const laidOut = layOut(json);
      return laidOut === undefined || JSON.stringify(JSON.parse(laidOut)) === JSON.stringify(JSON.parse(json));
    }),
  );
  t.end();
});

t.test('columns: any text fits exactly, and wrapped lines keep every letter', (t) => {
  const text = fc.string({ unit: 'grapheme' }).map((one) => visible(one));
  fc.assert(fc.property(text, fc.nat(60), (one, width) => columns(fit(one, width)) === width));
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 60 }), (one, width) => {
      const lines = wrap(one, width);
      return (
        lines.every((line) => columns(line) <= width) && lines.join('').replaceAll(' ', '') === one.replaceAll(' ', '')
      );
    }),
  );
  t.end();
});

t.test('reports: hosts in scope are those of the run, unless it took a sample of them', async (t) => {
  const sampled = runReport();
  const { sample, ...run } = sampled.run;
  t.ok(sample);
  const { hostChecks, aborted, ...rest } = { ...sampled, run };
  t.ok(hostChecks !== undefined && aborted !== undefined);
  for (const plugin of [matrix, terminal]) {
    const text = async (of: typeof sampled): Promise<string> => (await openReport(plugin)).render(of)[0]?.text ?? '';
    t.match(await text(sampled), /4 of 40 hosts.*spring/);
    t.match(await text(rest), /2 of 3 (?:hosts )?in scope (?:were )?reached/);
    t.notMatch(await text(rest), /of 40 hosts|no further wave|switches SSH off/);
    t.match(await text(sampled), /no further wave[^]*switches SSH off/);
  }
});
