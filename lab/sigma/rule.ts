import { LineCounter } from 'yaml';
import type { YAMLMap } from 'yaml';
import type { RuleDetection } from './detection.ts';
import { parseDocument } from './document.ts';
import { MapReader } from './metadata.ts';
import type { Shape } from './metadata.ts';
import { ProblemList } from './problem.ts';
import type { Position, Problem } from './problem.ts';
import { parseDetection } from './selections.ts';

const levels = ['informational', 'low', 'medium', 'high', 'critical'] as const;
type Level = (typeof levels)[number];
const statuses = ['stable', 'test', 'experimental', 'deprecated', 'unsupported'] as const;
type Status = (typeof statuses)[number];

/** Which log a rule is about; at least one of the three is there. */
export type LogSource = {
  readonly product: string | undefined;
  readonly category: string | undefined;
  readonly service: string | undefined;
  readonly at: Position;
};

/** A rule as the Sigma rules specification 2.0.0 has it. `id` and `level` are demanded, although it does not. */
export type SigmaRule = {
  /** The name under which the rule was read. */
  readonly file: string;
  /** A UUID in lower case. */
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  readonly status: Status | undefined;
  readonly description: string | undefined;
  readonly author: string | undefined;
  /** YYYY-MM-DD; before 2.0.0 also YYYY/MM/DD. */
  readonly date: string | undefined;
  readonly modified: string | undefined;
  /** For example `attack.t1059.006`. */
  readonly tags: readonly string[];
  readonly references: readonly string[];
  readonly falsepositives: readonly string[];
  readonly logsource: LogSource;
  readonly detection: RuleDetection;
};

/** Sections that make a file something other than a rule about single events. */
const unsupportedSections: Readonly<Record<string, string>> = {
  correlation: 'correlation rules are not supported here; write a rule that a single event decides',
  filter: 'Sigma filters are not supported here; put the exclusion into the rule itself',
  action: 'rule collections (action: global, repeat, reset) are not supported here; write each rule out in full',
};

const title: Shape = { pattern: /^.{1,256}$/s, hint: 'write 1 to 256 characters' };
const uuid: Shape = {
  pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  hint: 'write a UUID, as uuidgen prints it',
};
const date: Shape = { pattern: /^\d{4}([-/])(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])$/, hint: 'write YYYY-MM-DD' };
const tag: Shape = {
  pattern: /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/,
  hint: 'write namespace.name in lower case, for example attack.t1059.006',
};
const logsourceName: Shape = { pattern: /^[a-z0-9_.-]+$/, hint: 'write lower case letters, digits, _ . and - only' };

/**
 * Reads one Sigma rule. It never throws, and reports all the problems of a file at once.
 * @param file the name under which problems are reported.
 */
export function parseSigmaRule(
  text: string,
  file: string,
): { readonly rule: SigmaRule } | { readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const problems = new ProblemList(file, lines);
  const root = parseDocument(text, lines, problems);
  const rule = root === undefined ? undefined : readRule(root, problems);
  return rule === undefined || !problems.isEmpty ? { problems: problems.all } : { rule };
}

function readRule(root: YAMLMap, problems: ProblemList): SigmaRule | undefined {
  const map = new MapReader(root, problems);
  const unsupported = Object.entries(unsupportedSections).filter(([section]) => map.has(section));
  for (const [section, hint] of unsupported) map.refuse(section, hint);
  // Such a file is another kind of document, so what it lacks as a rule is not news.
  if (unsupported.length > 0) return undefined;
  map.demand('title', 'add a title');
  map.demand('id', 'add a UUID, as uuidgen prints it; alerts name the rule by it');
  map.demand('level', `add one of: ${levels.join(', ')}`);
  map.demand('logsource', 'add a logsource with a product, category or service');
  map.demand('detection', 'add a detection with a selection and a condition');
  const taxonomy = map.text('taxonomy');
  if (taxonomy !== undefined && taxonomy !== 'sigma') map.refuse('taxonomy', 'only the default taxonomy is known here');
  const read = {
    file: problems.file,
    id: map.text('id', uuid)?.toLowerCase(),
    title: map.text('title', title),
    level: map.choice('level', levels),
    status: map.choice('status', statuses),
    description: map.text('description'),
    author: map.text('author'),
    date: map.text('date', date),
    modified: map.text('modified', date),
    tags: map.texts('tags', tag),
    references: map.texts('references'),
    falsepositives: map.texts('falsepositives'),
  };
  const logsource = readLogSource(map.map('logsource'), problems);
  const section = map.map('detection');
  const detection = section && parseDetection(section, problems);
  const { id, title: heading, level } = read;
  if (id === undefined || heading === undefined || level === undefined) return undefined;
  if (logsource === undefined || detection === undefined) return undefined;
  return { ...read, id, title: heading, level, logsource, detection };
}

function readLogSource(section: YAMLMap | undefined, problems: ProblemList): LogSource | undefined {
  if (section === undefined) return undefined;
  const map = new MapReader(section, problems);
  const named = ['product', 'category', 'service'].filter((name) => map.has(name));
  if (named.length === 0) {
    const hint = 'name at least one of product, category and service';
    problems.add(section, { code: 'SIGMA_MISSING', found: 'an empty logsource', hint });
    return undefined;
  }
  return {
    product: map.text('product', logsourceName),
    category: map.text('category', logsourceName),
    service: map.text('service', logsourceName),
    at: problems.position(section),
  };
}
