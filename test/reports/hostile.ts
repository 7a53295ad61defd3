import fc from 'fast-check';
import type { RunReport } from '../../runner/domain/run-report.ts';

/** What hosts and SIEMs may put anywhere: markup, template tags, escapes, bidirectional and invisible characters, NUL, halves of pairs. */
const fragments = [
  '</script><script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '<!--',
  '-->',
  ']]>',
  '</style>',
  '</textarea></title>',
  '&lt;b&gt;&amp;',
  '{{{marker}}}{{#x}}{{/x}}',
  '`${7}`',
  '\u001b[31m\u001b]0;title\u0007\u001b[2J',
  '\r\n\r\n\t',
  '\u0000',
  '\u202egpj.exe\u202c\u2066x\u2069\u200f',
  '\u200b\ufeff\u00ad\u2028\u2029',
  '\ud800',
  '\udc00',
  '\u{e0041}\u{1f469}\u200d\u{1f680}',
  'Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307',
  '漢字テスト',
  'javascript:alert(1)',
  'x'.repeat(3_000),
];

/** Starts with a letter, so that what depends on a text being empty or JSON is the same for all. */
export const hostileText = fc
  .array(
    fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...fragments) }, fc.string({ unit: 'binary', maxLength: 12 })),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => `h${parts.join('')}`);

/** Fields whose text is one of a closed set, or a record keyed by one; checked when a run.json is read. */
const closed = new Set(
  [
    'is,kind,verdict,score,stance,platform,phase,purpose,channel,class,problem,field,fields,fidelity,state,enabled,by',
    'brokeAt,attribution,grade,interpreter,invocation,via,context,agreed,counts,byPlatform,schema,signal',
  ]
    .join(',')
    .split(','),
);
const keyedById = new Set(['cells', 'figures', 'harnessRules', 'excerpts']);

/** The same run with `prefix` before every text and every id in it, so that all that belonged together still does. */
export function poisoned(run: RunReport, prefix: string): RunReport {
  const walk = (value: unknown, keysAreIds: boolean): unknown => {
    if (typeof value === 'string') return prefix + value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((one) => walk(one, false));
    return Object.fromEntries(
      Object.entries(value).map(([key, own]) => {
        // Cells of scenarios are keyed by target and, below, by SIEM.
        const below = keyedById.has(key) || (keysAreIds && isKeyedBySiem(own));
        return [keysAreIds ? prefix + key : key, closed.has(key) && !keysAreIds ? own : walk(own, below)];
      }),
    );
  };
  return walk(run, false) as RunReport;
}

function isKeyedBySiem(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((own) => typeof own === 'object' && own !== null && 'standIns' in own)
  );
}
