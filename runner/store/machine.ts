import { checkWritable } from './run-folder.ts';

type Check = { readonly what: string; readonly state: 'ok' | 'trouble'; readonly detail: string };

/** What a run needs of this machine. */
export async function machineChecks(out: string): Promise<readonly Check[]> {
  const major = Number(process.versions.node.split('.')[0]);
  const writable = await checkWritable(out).then(
    () => ({ state: 'ok' as const, detail: `${out} can be written and has room` }),
    (error: unknown) => ({ state: 'trouble' as const, detail: error instanceof Error ? error.message : String(error) }),
  );
  return [
    {
      what: 'Node',
      state: major >= 24 ? 'ok' : 'trouble',
      detail: `${process.versions.node}${major >= 24 ? '' : '; start detproof through npm run, which brings Node 24'}`,
    },
    { what: 'output folder', ...writable },
  ];
}
