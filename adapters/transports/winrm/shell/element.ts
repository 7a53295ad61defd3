import { SaxesParser } from 'saxes';
import { TransportFailure } from '../../../../runner/ports.ts';

/** An element by namespace and local name; prefixes mean nothing, servers and clients choose other ones. */
export type Element = {
  readonly ns: string;
  readonly name: string;
  /** By local name. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** Its own character data, white space at both ends taken off. */
  readonly text: string;
};

type Growing = { ns: string; name: string; attributes: Map<string, string>; children: Growing[]; text: string };

const deepest = 50;

/** Declarations of prefixes are in this namespace. */
const declarations = 'http://www.w3.org/2000/xmlns/';

/** Reads a document in UTF-8, or UTF-16 with a byte order mark. Throws {@link TransportFailure} `protocol` when it is none. */
export function parseXml(bytes: Uint8Array): Element {
  const top: Growing = { ns: '', name: '', attributes: new Map(), children: [], text: '' };
  const open: Growing[] = [top];
  const parser = new SaxesParser({ xmlns: true, position: false });
  parser.on('opentag', (tag) => {
    const element: Growing = {
      ns: tag.uri,
      name: tag.local,
      attributes: new Map(
        Object.values(tag.attributes)
          .filter(({ uri }) => uri !== declarations)
          .map(({ local, value }) => [local, value]),
      ),
      children: [],
      text: '',
    };
    if (open.length > deepest) throw new Error(`elements are nested more than ${deepest} deep`);
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  const addText = (text: string): void => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element !== undefined) element.text = element.text.trim();
  });
  parser.on('doctype', () => {
    throw new Error('it has a DOCTYPE, which SOAP forbids');
  });
  parser.on('error', (error) => {
    throw error;
  });
  try {
    parser.write(decode(bytes)).close();
  } catch (cause) {
    throw new TransportFailure(
      'protocol',
      `no XML came back: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
  const [root] = top.children;
  if (root === undefined) throw new TransportFailure('protocol', 'no XML came back: nothing is in it');
  return root;
}

function decode(bytes: Uint8Array): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding, { fatal: true }).decode(bytes);
}

/** The first child of that name; `namespace` undefined: of any namespace. */
export function child(element: Element | undefined, namespace: string | undefined, name: string): Element | undefined {
  return element?.children.find((one) => one.name === name && (namespace === undefined || one.ns === namespace));
}

/** All children of that name. */
export function childrenOf(element: Element | undefined, namespace: string, name: string): readonly Element[] {
  return element?.children.filter((one) => one.name === name && one.ns === namespace) ?? [];
}
