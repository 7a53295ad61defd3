import { z } from 'zod';
import type { NonEmpty } from '../domain/non-empty.ts';
import type { Channel } from '../domain/scenario.ts';
import type { SettingsSchema, SiemPlugin, TransportPlugin } from '../ports.ts';
import { checkValue, isRecord, listAt, valueAt } from './check.ts';
import { kindOf, type Problem, suggest } from './problem.ts';
import type { Path, SourceFile } from './source-file.ts';

/** The plug-ins that were found, by kind. */
export type Plugins = {
  readonly transports: ReadonlyMap<string, TransportPlugin>;
  readonly siems: ReadonlyMap<string, SiemPlugin>;
};

/** True for paths in an inventory that a plug-in defines, or that stand beside what it defines. */
export function isPluginSetting([list, , part]: Path): boolean {
  return list === 'siems' || (list === 'targets' && (part === 'transport' || part === 'accounts'));
}

export type Settings = { readonly value?: unknown; readonly problems: readonly Problem[] };

/**
 * What the file says at `path`, without the keys that are detproof's own, held against the schema of the plug-in. Here a
 * secret may stand by mistake where a reference to it belongs, so no value is shown.
 */
function checkSettings(
  source: SourceFile,
  path: Path,
  schema: SettingsSchema<unknown>,
  ownKeys: readonly string[],
): Settings {
  const raw = valueAt(source.value, path);
  const settings = isRecord(raw)
    ? Object.fromEntries(Object.entries(raw).filter(([key]) => !ownKeys.includes(key)))
    : raw;
  if (!(schema instanceof z.ZodType)) throw new TypeError('the settings schema of a plug-in is no zod schema');
  return checkValue(source, path, schema, settings, { quiet: isPluginSetting });
}

function unknownKind(source: SourceFile, path: Path, kinds: Iterable<string>): Problem[] {
  const kind = valueAt(source.value, path);
  if (kind === undefined) return [];
  const isName = typeof kind === 'string' && /^[a-z][a-z0-9-]{0,30}$/.test(kind);
  const found = isName ? `unknown kind ${kind}` : `a kind that is ${kindOf(kind)}`;
  const hint = suggest(isName ? kind : '', kinds);
  return [{ file: source.file, ...source.at(path), code: 'PLUGIN_UNKNOWN_KIND', found, hint }];
}

/** Settings of a target's transport and of its accounts, as the transport's plug-in reads them. */
export function targetSettings(
  source: SourceFile,
  path: Path,
  transports: Plugins['transports'],
): { readonly transport: Settings; readonly accounts: readonly Settings[]; readonly channels?: NonEmpty<Channel> } {
  const at: Path = [...path, 'transport'];
  const kind = valueAt(source.value, [...at, 'kind']);
  const plugin = typeof kind === 'string' ? transports.get(kind) : undefined;
  if (plugin === undefined)
    return { transport: { problems: unknownKind(source, [...at, 'kind'], transports.keys()) }, accounts: [] };
  const accounts = listAt(source.value, [...path, 'accounts']).map((account, index): Settings =>
    isRecord(account)
      ? checkSettings(source, [...path, 'accounts', index], plugin.account, ['name', 'role'])
      : { problems: [] },
  );
  return { transport: checkSettings(source, at, plugin.settings, ['kind']), accounts, channels: plugin.channels };
}

/** Settings of a SIEM, as its plug-in reads them. */
export function siemSettings(source: SourceFile, path: Path, siems: Plugins['siems']): Settings {
  const kind = valueAt(source.value, [...path, 'kind']);
  const plugin = typeof kind === 'string' ? siems.get(kind) : undefined;
  if (plugin === undefined) return { problems: unknownKind(source, [...path, 'kind'], siems.keys()) };
  return checkSettings(source, path, plugin.settings, ['id', 'kind']);
}
