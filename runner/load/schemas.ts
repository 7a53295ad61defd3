import { z } from 'zod';
import type { SettingsSchema } from '../ports.ts';
import { inventoryFile } from './inventory-schema.ts';
import type { Plugins } from './plugin-settings.ts';
import { scenarioFile } from './scenario-schema.ts';
import { planSchema } from './schema/plan.ts';
import { runSchema } from './schema/run.ts';

type Json = z.core.JSONSchema.BaseSchema;

/**
 * The JSON Schemas (draft 7) of the files that users and programs write and read, by file name, from the very parsers that
 * read them. Editors take them from a first line such as
 * `# yaml-language-server: $schema=docs/schema/inventory.schema.json`.
 * What one field may not say beside another is checked by `detproof lint` only.
 */
export function generateSchemas(plugins: Plugins): ReadonlyMap<string, string> {
  const files: Readonly<Record<string, Json>> = {
    'inventory.schema.json': titled('detproof: inventory.yaml', inventorySchema(plugins)),
    'scenario.schema.json': titled('detproof: a scenario', toJson(scenarioFile)),
    'plan-1.schema.json': titled('detproof: plan.json, detproof/plan/1', toJson(planSchema)),
    'run-1.schema.json': titled('detproof: run.json, detproof/run/1', toJson(runSchema)),
  };
  return new Map(Object.entries(files).map(([name, schema]) => [name, `${JSON.stringify(schema, null, 2)}\n`]));
}

function toJson(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' });
}

function titled(title: string, { $schema, ...schema }: Json): Json {
  return { ...($schema !== undefined && { $schema }), title, ...schema };
}

/** The inventory, with what the plug-ins' own schemas say in the places that are theirs. */
function inventorySchema({ transports, siems }: Plugins): Json {
  const schema = toJson(inventoryFile);
  const target = itemsOf(schema, 'targets');
  const name = propertyOf(itemsOf(target, 'accounts'), 'name');
  const id = propertyOf(itemsOf(schema, 'siems'), 'id');
  const transport = {
    ...kindOnly(transports.keys()),
    oneOf: [...transports.values()].map(({ kind, summary, settings }) =>
      withOwn(settings, { kind: { const: kind, description: summary } }),
    ),
  };
  const accounts = [...transports.values()].map(({ kind, account }) => ({
    if: { properties: { transport: { properties: { kind: { const: kind } } } } },
    then: { properties: { accounts: { items: withOwn(account, { name }) } } },
  }));
  const siem = {
    ...kindOnly(siems.keys()),
    oneOf: [...siems.values()].map(({ kind, summary, settings }) =>
      withOwn(settings, { id, kind: { const: kind, description: summary } }),
    ),
  };
  const targets = {
    ...propertyOf(schema, 'targets'),
    items: { ...withProperty(target, 'transport', transport), allOf: accounts },
  };
  return withProperty(withProperty(schema, 'targets', targets), 'siems', {
    ...propertyOf(schema, 'siems'),
    items: siem,
  });
}

function kindOnly(kinds: Iterable<string>): Json {
  return { type: 'object', properties: { kind: { enum: [...kinds] } }, required: ['kind'] };
}

/** A plug-in's schema with detproof's own keys beside the plug-in's. */
function withOwn(schema: SettingsSchema<unknown>, own: Readonly<Record<string, Json>>): Json {
  if (!(schema instanceof z.ZodType)) throw new TypeError('the settings schema of a plug-in is no zod schema');
  const json = toJson(schema);
  delete json.$schema;
  return addOwn(json, own);
}

function addOwn(json: Json, own: Readonly<Record<string, Json>>): Json {
  for (const union of ['anyOf', 'oneOf', 'allOf'] as const)
    if (json[union] !== undefined) return { ...json, [union]: json[union].map((member) => addOwn(member, own)) };
  return {
    ...json,
    properties: { ...own, ...json.properties },
    required: [...Object.keys(own), ...(json.required ?? [])],
  };
}

function withProperty(schema: Json, key: string, by: Json): Json {
  return { ...schema, properties: { ...schema.properties, [key]: by } };
}

function itemsOf(schema: Json, list: string): Json {
  const { items } = propertyOf(schema, list);
  if (typeof items !== 'object' || Array.isArray(items)) throw new TypeError(`${list} is no list`);
  return items;
}

function propertyOf(schema: Json, key: string): Json {
  const found = schema.properties?.[key];
  if (typeof found !== 'object') throw new TypeError(`no property ${key}`);
  return found;
}
