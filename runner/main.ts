#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Half of a short command's time went into compiling these sources anew. Where this folder cannot be written, it does so still.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/detproof'));

const [{ compose }, { main }] = await Promise.all([import('./compose.ts'), import('./cli/program.ts')]);
process.exitCode = await main(await compose(), process.argv.slice(2));
