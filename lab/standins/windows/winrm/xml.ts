import { SaxesParser } from 'saxes';

/** An element; names are told by namespace, never by prefix. */
export class XmlElement {
  readonly uri: string;
  readonly local: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlElement[] = [];
  text = '';

  constructor(uri: string, local: string, attributes: ReadonlyMap<string, string>) {
    this.uri = uri;
    this.local = local;
    this.attributes = attributes;
  }

  child(uri: string, local: string): XmlElement | undefined {
    return this.children.find((child) => child.uri === uri && child.local === local);
  }

  all(uri: string, local: string): readonly XmlElement[] {
    return this.children.filter((child) => child.uri === uri && child.local === local);
  }

  /** An attribute by its local name, whatever its namespace. */
  attribute(local: string): string | undefined {
    return this.attributes.get(local);
  }
}

/** Parses a document. Throws on anything that is not well-formed, and on a document type. */
export function parseXml(text: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('doctype', () => {
    throw new Error('a document type is not allowed');
  });
  parser.on('opentag', ({ uri, local, attributes }) => {
    const named = Object.values(attributes).map((attribute) => [attribute.local, attribute.value] as const);
    const element = new XmlElement(uri, local, new Map(named));
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  const addText = (more: string): void => {
    const top = open.at(-1);
    if (top !== undefined) top.text += more;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    open.pop();
  });
  parser.write(text).close();
  if (root === undefined) throw new Error('there is no element');
  return root;
}

/** Text for the inside of an element or a quoted attribute. */
export function escapeXml(text: string): string {
  return text.replace(
    /[<>&"']/g,
    (character) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;' })[character] ?? character,
  );
}
