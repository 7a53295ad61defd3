import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import matrix from '../../reports/matrix-html.ts';
import { findChromium, launchChromium } from '../chromium.ts';
import { runReport } from '../fakes/run-report.ts';
import { requirement } from '../require.ts';
import { poisoned } from './hostile.ts';
import { openReport } from './open-report.ts';

const chromium = await findChromium();
const dossier = '#x-lab-a-det-a-linux-script-in-dev-shm';

if (requirement(t, 'chromium', 'missing' in chromium ? chromium.missing : undefined) && 'path' in chromium) {
  const browser = await launchChromium(chromium.path);
  const folder = await mkdtemp(join(tmpdir(), 'detproof-matrix-'));
  t.teardown(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });
  const write = async (name: string, run: ReturnType<typeof runReport>): Promise<string> => {
    const file = join(folder, `${name}.html`);
    await writeFile(file, (await openReport(matrix)).render(run)[0]?.text ?? '');
    return pathToFileURL(file).href;
  };
  const plain = await write('plain', runReport());
  // Every verdict once, since axe takes seconds for each unfolded execution.
  const left = new Set(['linux/script-in-tmp', 'linux/twin-package-download', 'windows/script-in-temp']);
  const small = await write(
    'small',
    runReport(['lab-siem'], ({ scenario }) => !left.has(scenario)),
  );
  const twoSiems = await write(
    'two',
    runReport(['lab-siem', 'archive'], ({ scenario }) => !left.has(scenario)),
  );
  const hostile = await write(
    'hostile',
    poisoned(
      runReport(),
      `h</script><script>document.title='pwned'</script>"><img src=x onerror="document.title='pwned'">${'W'.repeat(400)}`,
    ),
  );
  await suite(browser, { plain, small, twoSiems, hostile });
}

type Pages = { readonly plain: string; readonly small: string; readonly twoSiems: string; readonly hostile: string };

async function suite(browser: Browser, pages: Pages): Promise<void> {
  /** Opens a page, and fails when anything on it goes wrong or asks for something from elsewhere. */
  const visit = async (t: Test, url: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      ...options,
    });
    t.teardown(() => context.close());
    const page = await context.newPage();
    page.on('request', (request) => {
      if (!request.url().startsWith('file:') && !request.url().startsWith('data:'))
        t.fail(`request to ${request.url()}`);
    });
    page.on('console', (message) => {
      if (message.type() === 'error') t.fail(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => t.fail(`script: ${error.message}`));
    await page.goto(url);
    return page;
  };

  await t.test(
    'matrix page: WCAG 2.2 AA holds by axe, dark and light, wide and narrow, folded, unfolded and in the drawer',
    async (t) => {
      for (const [name, url, options] of [
        ['light, wide', pages.small, { colorScheme: 'light' }],
        ['dark, wide', pages.small, { colorScheme: 'dark' }],
        ['light, narrow', pages.small, { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
        ['two SIEMs', pages.twoSiems, { colorScheme: 'light' }],
        ['drawer, light', pages.small + dossier, { colorScheme: 'light' }],
        ['drawer, dark', pages.small + dossier, { colorScheme: 'dark' }],
      ] as const) {
        const page = await visit(t, url, options);
        if (name === 'light, wide' || name === 'dark, wide') await unfold(page);
        await page.evaluate(axe.source);
        const found = await page.evaluate<axe.AxeResults>(
          `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] })`,
        );
        t.same(
          found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''} ${nodes[0]?.failureSummary ?? ''}`),
          [],
          name,
        );
        await page.context().close();
      }
    },
  );

  await t.test('matrix page: hostile text runs nothing, asks for nothing, and does not widen the page', async (t) => {
    const page = await visit(t, pages.hostile, { viewport: { width: 360, height: 740 } });
    await unfold(page);
    t.not(await page.title(), 'pwned');
    t.equal(await page.locator('img').count(), 0);
    t.equal(await page.locator('script').count(), 1);
    t.ok((await width(page)) <= 360, `${await width(page)} px`);
  });

  await t.test('matrix page: at 360 px only tables scroll sideways, each in its own focusable region', async (t) => {
    const page = await visit(t, pages.plain, { viewport: { width: 360, height: 740 } });
    t.equal(await width(page), 360, 'folded');
    await unfold(page);
    t.equal(await width(page), 360, 'unfolded');
    t.equal(
      await page.evaluate<number>(
        `[...document.querySelectorAll('.scroll')].filter((one) => one.tabIndex !== 0 || !(one.ariaLabel || one.getAttribute('aria-labelledby'))).length`,
      ),
      0,
    );
    const narrow = await visit(t, pages.plain + dossier, { viewport: { width: 360, height: 740 } });
    t.equal(await width(narrow), 360, 'drawer');
    t.ok(await narrow.locator('#drawer').isVisible());
  });

  await t.test('matrix page: everything can be reached and worked with the keyboard alone', async (t) => {
    const page = await visit(t, pages.plain);
    await page.keyboard.press('Tab');
    t.equal(await focused(page), 'Skip to the result');
    await page.keyboard.press('Enter');
    t.equal(await page.evaluate('document.activeElement.id'), 'main');

    const pressed = page.getByRole('group', { name: 'Show' }).getByRole('button', { name: 'worse than expected' });
    await pressed.focus();
    await page.keyboard.press('Space');
    t.equal(await pressed.getAttribute('aria-pressed'), 'true');
    t.match(await page.locator('#filter-status').textContent(), /^\d+ of 14 rows shown\.$/);
    t.notOk(
      await page.getByText('invocation=stdin', { exact: true }).isVisible(),
      'a row that is as expected is hidden',
    );

    const cell = page.locator(`a.cell[href="${dossier}"]`);
    await cell.focus();
    t.equal(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'solid', 'focus can be seen');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    t.ok(await page.getByRole('dialog').isVisible());
    t.match(await page.getByRole('dialog').textContent(), /broke at “usable”/);
    t.match(page.url(), new RegExp(`${dossier}$`), 'the address names the execution');
    await page.getByRole('button', { name: 'Next' }).focus();
    await page.keyboard.press('Enter');
    t.match(page.url(), /#x-lab-b-det-b-linux-script-in-dev-shm$/);
    await page.keyboard.press('Escape');
    t.notOk(await page.getByRole('dialog').isVisible());
    t.equal(await page.evaluate('document.activeElement.hash'), dossier, 'focus is back where it was');

    const order = await tabOrder(page, 400);
    t.ok(
      order.some((text) => text.startsWith('What the words mean')),
      'the legend',
    );
    const dossiers = await page.locator('.dossier > summary').allTextContents();
    t.same(
      order.filter((text) => dossiers.includes(text)),
      dossiers,
      'every execution and every shared evidence, from top to bottom',
    );
  });

  await t.test('matrix page: a link to one execution opens it, with its evidence where it belongs', async (t) => {
    const page = await visit(t, pages.plain + dossier);
    const drawer = page.getByRole('dialog');
    t.ok(await drawer.isVisible());
    const hops = await drawer.locator('.hop-name').allTextContents();
    t.same(hops, ['ran', 'recorded', 'delivered', 'usable', 'alerted', 'attributed', 'in time']);
    t.equal(await drawer.locator('.hop-broke .hop-name').textContent(), 'usable');
    t.match(await drawer.locator('tr.c-no').allTextContents(), [/command-line.*contradicts/s, /parent.*missing/s]);
    await drawer.getByText('raw event ev-', { exact: false }).first().click();
    t.match(
      await drawer.locator('pre').filter({ hasText: '"@timestamp"' }).first().textContent(),
      /"executable": "\/usr\/bin\/python3\.11"/,
    );
    t.match(await drawer.locator('.hash').first().textContent(), /^evidence\/[0-9a-f]{64}/);
  });

  await t.test('matrix page: without the script everything is there, and links open what they lead to', async (t) => {
    const page = await visit(t, pages.plain, { javaScriptEnabled: false });
    t.notOk(await page.locator('#filters').isVisible(), 'no control that could not work');
    await page.locator(`a.cell[href="${dossier}"]`).click();
    t.ok(await page.locator(`${dossier} .hops`).isVisible());
  });

  await t.test('matrix page: printed, it is unfolded and has neither navigation nor filters', async (t) => {
    const page = await visit(t, pages.plain);
    await page.emulateMedia({ media: 'print' });
    t.ok(await page.locator(`${dossier} .hops`).isVisible());
    t.notOk(await page.locator('nav').isVisible());
    t.notOk(await page.locator('#filters').isVisible());
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    t.equal(pdf.subarray(0, 5).toString('latin1'), '%PDF-');
    t.ok((pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? []).length > 10, 'the executions are printed too');
  });

  await t.test('matrix page: with forced colours words, icons and borders stay', async (t) => {
    const page = await visit(t, pages.plain, { forcedColors: 'active' });
    const badge = page.locator('#emulations .badge.v-missed').first();
    t.ok(await badge.isVisible());
    t.equal(
      await page.evaluate(`getComputedStyle(document.querySelector('#emulations .v-missed')).borderTopStyle`),
      'solid',
    );
    t.ok(await badge.locator('svg').isVisible());
  });
}

function unfold(page: Page): Promise<unknown> {
  return page.evaluate(`for (const one of document.querySelectorAll('details')) one.open = true`);
}

function width(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth');
}

function focused(page: Page): Promise<string> {
  return page.evaluate<string>('document.activeElement.textContent');
}

/** What Tab comes to, from the top of the page until it leaves it. */
async function tabOrder(page: Page, atMost: number): Promise<readonly string[]> {
  await page.evaluate('document.activeElement.blur(); getSelection().collapse(document.body, 0)');
  const stops: string[] = [];
  while (stops.length < atMost) {
    await page.keyboard.press('Tab');
    if (await page.evaluate<boolean>('document.activeElement === document.body')) break;
    stops.push(await focused(page));
  }
  return stops;
}
