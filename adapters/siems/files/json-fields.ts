/** A line of the store: an object, whose names may be nested (`{"a":{"b":1}}`) or dotted (`{"a.b":1}`), as exports differ. */
export type Document = Readonly<Record<string, unknown>>;

/** Deeper than any product nests, and far from what recursion over a document can bear. */
export const deepestNesting = 100;

/** Do objects and lists of this value stand in each other more than `left` deep? */
export function isDeeperThan(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isDeeperThan(inner, left - 1));
}

/** The texts and numbers of one dotted name, as text; a list stands for each of its elements. Empty texts are left out. */
export function valuesOf(document: unknown, name: string): readonly string[] {
  if (Array.isArray(document)) return document.flatMap((element) => valuesOf(element, name));
  if (typeof document !== 'object' || document === null) return [];
  const found: string[] = [];
  const holder = document as Document;
  if (Object.hasOwn(holder, name)) found.push(...scalars(holder[name]));
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const head = name.slice(0, dot);
    if (Object.hasOwn(holder, head)) found.push(...valuesOf(holder[head], name.slice(dot + 1)));
  }
  return found;
}

/** The first value, or undefined. */
export function valueOf(document: Document, name: string): string | undefined {
  return valuesOf(document, name)[0];
}

/** The values of a name that is a list; a single value is a list of one. */
function scalars(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(scalars);
  if (typeof value === 'string') return value === '' ? [] : [value];
  return typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
}

/** The elements of a list as they stand, empty ones included; a program's arguments. */
export function listOf(document: Document, name: string): readonly string[] {
  let value: unknown = document[name];
  if (value === undefined)
    value = name.split('.').reduce<unknown>((holder, key) => (isDocument(holder) ? holder[key] : undefined), document);
  return Array.isArray(value)
    ? value.map((element) => (typeof element === 'string' ? element : JSON.stringify(element)))
    : [];
}

export function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
