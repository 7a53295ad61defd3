import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { layOut } from '../shared/json-layout.ts';
import { block, type Rendered } from '../shared/template.ts';
import { grouped } from '../shared/visible.ts';

/** One piece of evidence on the page: its text in place, a link to where the page shows it once, or neither (too big). */
export type EvidenceView = {
  readonly label: string;
  readonly size: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly short: string;
  readonly anchor: string;
  readonly text: Rendered | false;
  readonly note: string | false;
  /** Further down, among what several executions share; or already, for the same execution. */
  readonly elsewhere: boolean;
  readonly above: boolean;
  readonly absent: boolean;
};

/** Shows evidence where one execution talks about it: the text once, then where it was. */
export type Show = (label: string, ref: EvidenceRef) => EvidenceView;

export type EvidenceBook = {
  /** For one execution, from its beginning. */
  open(): Show;
  /** Evidence that several executions refer to, such as the answer to one query for all of them; each once. */
  readonly shared: readonly (EvidenceView & { readonly usedBy: number })[];
};

export function evidenceBook(run: RunReport): EvidenceBook {
  const users = new Map<string, { ref: EvidenceRef; users: Set<string> }>();
  const note = (ref: EvidenceRef, user: string) => {
    const known = users.get(ref.sha256) ?? { ref, users: new Set() };
    users.set(ref.sha256, known);
    known.users.add(user);
  };
  for (const report of run.executions) for (const ref of refsIn(report)) note(ref, report.plan.id);
  for (const siem of run.siems) for (const ref of siem.exchanges) note(ref, `siem ${siem.id}`);
  const inPlace = (sha256: string): boolean => (users.get(sha256)?.users.size ?? 0) < 2;

  const view = (label: string, ref: EvidenceRef, place: 'here' | 'above' | 'shared'): EvidenceView => {
    const here = place === 'here';
    const excerpt = Object.hasOwn(run.excerpts, ref.sha256) ? run.excerpts[ref.sha256] : undefined;
    const laidOut = excerpt === undefined || excerpt.cut ? undefined : layOut(excerpt.text);
    const notes = [
      ...(laidOut === undefined ? [] : ['laid out for reading; the hash is of the original bytes']),
      ...(excerpt?.cut === true ? ['cut; the whole is in the file'] : []),
    ];
    return {
      label,
      size: bytes(ref.bytes),
      mediaType: ref.mediaType,
      sha256: ref.sha256,
      short: ref.sha256.slice(0, 12),
      anchor: `ev-${ref.sha256.replace(/[^0-9a-f]/g, '')}`,
      text: here && excerpt !== undefined && ref.bytes > 0 ? block(laidOut ?? excerpt.text) : false,
      note: notes.length === 0 ? false : notes.join('; '),
      elsewhere: place === 'shared' && ref.bytes > 0,
      above: place === 'above' && ref.bytes > 0,
      absent: here && excerpt === undefined && ref.bytes > 0,
    };
  };

  return {
    open: () => {
      const shown = new Set<string>();
      return (label, ref) => {
        const place = !inPlace(ref.sha256) ? 'shared' : shown.has(ref.sha256) ? 'above' : 'here';
        shown.add(ref.sha256);
        return view(label, ref, place);
      };
    },
    shared: [...users.values()]
      .filter(({ ref, users: by }) => by.size > 1 && ref.bytes > 0)
      .sort((a, b) => (a.ref.sha256 < b.ref.sha256 ? -1 : 1))
      .map(({ ref, users: by }) => ({ ...view('evidence', ref, 'here'), usedBy: by.size })),
  };
}

/** Every reference to evidence anywhere below `value`. */
function* refsIn(value: unknown): Generator<EvidenceRef> {
  if (typeof value !== 'object' || value === null) return;
  if (isRef(value)) yield value;
  else for (const part of Object.values(value)) yield* refsIn(part);
}

function isRef(value: object): value is EvidenceRef {
  return (
    'sha256' in value &&
    typeof value.sha256 === 'string' &&
    'bytes' in value &&
    typeof value.bytes === 'number' &&
    'mediaType' in value &&
    typeof value.mediaType === 'string'
  );
}

function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1_000).toFixed(1)} kB`;
  return `${grouped(Math.round(count / 1_000_000))} MB`;
}
