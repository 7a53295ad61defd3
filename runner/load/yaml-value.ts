import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';

type Report = (offset: number, code: string, found: string, hint: string) => void;

/** Far above any real inventory, far below what aliases of aliases could expand to. */
const maxNodes = 1_000_000;
const maxDepth = 64;

/**
 * A YAML syntax tree → plain values (text, number, boolean, null, list, map), and the nodes that anchors name. Refuses, by
 * `report`, what would make two readers see different things: tags, keys that are not texts, merge keys, aliases to nothing,
 * to themselves or without end.
 */
export function toPlain(root: Node | null, report: Report): { value: unknown; anchors: ReadonlyMap<string, Node> } {
  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  let nodes = 0;
  let tooMany = false;

  const convert = (node: Node | null, depth: number, offset: number): unknown => {
    nodes += 1;
    if (node === null || tooMany) return null;
    const at = node.range?.[0] ?? offset;
    if (nodes > maxNodes || depth > maxDepth) {
      tooMany = true;
      report(at, 'YAML_TOO_LARGE', 'aliases or nesting that grow without bound', 'write the values out, and flatter');
      return null;
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined || open.has(target)) {
        report(
          at,
          'YAML_ALIAS',
          'an alias (*) without an anchor (&) before it',
          'put a text that begins with * in quotes',
        );
        return null;
      }
      return convert(target, depth + 1, at);
    }
    if (
      (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) ||
      node.tag === 'tag:yaml.org,2002:binary'
    )
      report(at, 'YAML_TAG', 'a tag (!)', 'remove it; put a text that begins with ! in quotes');
    remember(node, at);
    open.add(node);
    const value = isMap(node)
      ? convertMap(node, depth, at)
      : isSeq(node)
        ? node.items.map((item) => convert(isPair(item) ? null : (item as Node | null), depth + 1, at))
        : isScalar(node)
          ? node.value
          : null;
    open.delete(node);
    return value;
  };

  const remember = (node: Node, at: number): void => {
    const anchor = 'anchor' in node && typeof node.anchor === 'string' ? node.anchor : undefined;
    if (anchor === undefined) return;
    const before = anchors.get(anchor);
    if (before !== undefined && before !== node)
      report(at, 'YAML_ALIAS', 'an anchor (&) whose name is taken', 'give every anchor a name of its own');
    anchors.set(anchor, node);
  };

  const convertMap = (map: YAMLMap, depth: number, offset: number): Record<string, unknown> => {
    const entries: [string, unknown][] = [];
    for (const { key, value } of map.items) {
      const at = (key as Node | null)?.range?.[0] ?? offset;
      const name =
        isScalar(key) && (typeof key.value === 'string' || typeof key.value === 'number') ? String(key.value) : '';
      if (name === '' || name === '__proto__' || name === '<<')
        report(
          at,
          'YAML_KEY',
          'a key that is not a plain name',
          'use a word as the key, and quote it if it is empty or null',
        );
      else entries.push([name, convert((value ?? null) as Node | null, depth + 1, at)]);
    }
    return Object.fromEntries(entries);
  };

  return { value: convert(root, 0, 0), anchors };
}
