import type { MakeNormaliser, NormaliseLine } from './collected-line.ts';

/** By format; each source of lines gets one of its own. */
export type Normalisers = ReadonlyMap<string, () => NormaliseLine>;

/** Loads `<format>-normalise.ts` for each format that is named. Throws, naming the file, when there is none. */
export async function loadNormalisers(sources: readonly { readonly format: string }[]): Promise<Normalisers> {
  const formats = new Set(sources.map(({ format }) => format));
  const loaded = [...formats].map(async (format) => {
    const file = `./${format}-normalise.ts`;
    const module = (await import(file)) as { readonly normaliser?: MakeNormaliser };
    if (module.normaliser === undefined) throw new Error(`lab/siem/${format}-normalise.ts exports no normaliser`);
    return [format, module.normaliser] as const;
  });
  return new Map(await Promise.all(loaded));
}
