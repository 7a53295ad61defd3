/** Why no connection came about, and what to look at, by the code of a socket's error: what is the same for every protocol. */
export function unreachableBecause(code: unknown): string | undefined {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name cannot be resolved. Is it spelled right, and does DNS answer?';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return 'no route or no answer. Is the host up, and is a firewall in between?';
    default:
      return undefined;
  }
}
