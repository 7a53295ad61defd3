import { macHost } from '../standins/macos/host.ts';
import { ProcessTable } from './process-table.ts';

const tables = new Map<string, ProcessTable>();

/**
 * The processes of a Mac as its Endpoint Security events tell of them. Shared by the sources of one host: rows of osquery name
 * a parent by its pid only. Nothing is looked up in /proc, which a SIEM far from the host could not do.
 */
export function processesOf(host: string): ProcessTable {
  let table = tables.get(host);
  if (table === undefined) {
    table = new ProcessTable(16_384, () => undefined);
    tables.set(host, table);
  }
  return table;
}

/** The account's name, as the site's directory has it: neither source tells more than its number. */
export function macUserName(uid: number): string | undefined {
  return uid === 0 ? 'root' : uid === macHost.uid ? macHost.account : undefined;
}
