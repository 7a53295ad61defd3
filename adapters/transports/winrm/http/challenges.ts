/** One way to log in that a 401 offers. `token`: what a server's half of the conversation carries (base64). */
export type Challenge = { readonly scheme: string; readonly token?: string };

/** WWW-Authenticate, as several lines or one list (RFC 9110, 11.6.1). What cannot be read is left out. */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header;
  return lines
    .flatMap((line) => line.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [])
    .flatMap((item) => {
      const match = /^\s*([A-Za-z][\w-]*)(?:\s+([A-Za-z0-9+/._~-]+=*))?(?:\s|$)/.exec(item);
      if (match?.[1] === undefined) return [];
      return [match[2] === undefined ? { scheme: match[1] } : { scheme: match[1], token: match[2] }];
    });
}

export function findChallenge(challenges: readonly Challenge[], scheme: string): Challenge | undefined {
  const named = challenges.filter((challenge) => challenge.scheme.toLowerCase() === scheme.toLowerCase());
  return named.find(({ token }) => token !== undefined) ?? named[0];
}

/** For messages; what a server wrote is shown as names only. */
export function describeChallenges(challenges: readonly Challenge[]): string {
  const names = [...new Set(challenges.map(({ scheme }) => scheme.slice(0, 20)))].slice(0, 8);
  return names.length === 0 ? 'nothing' : names.join(', ');
}
