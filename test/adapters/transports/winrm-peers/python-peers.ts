import { fileURLToPath } from 'node:url';

/** Where the tests' Python packages from PyPI are, outside what is checked in; test/prepare.ts fills it. */
export const PYTHON_PEERS = fileURLToPath(
  new URL('../../../../node_modules/.cache/detproof-python-peers', import.meta.url),
);
