/** What a script of the Windows script host asks for. */
export type ScriptOrder = {
  readonly command: string;
  /** Whether the script goes on only when the command has ended. */
  readonly waits: boolean;
  /** Whether the script's exit code is the command's. */
  readonly quits: boolean;
};

const literal = String.raw`"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*'`;
const term = String.raw`(?:${literal}|[\w.]+(?:\(\d+\))?)`;
const expression = String.raw`${term}(?:\s*\+\s*${term})*`;
const shell = String.raw`(?:(?:new\s+ActiveXObject|WScript\.CreateObject)\(\s*["']WScript\.Shell["']\s*\))`;

const assignment = new RegExp(String.raw`^var\s+(\w+)\s*=\s*(${shell}|WScript\.Arguments|${expression})$`);
const call = new RegExp(
  String.raw`^(WScript\.Quit\(\s*)?(${shell}|\w+)\.(Run|Exec)\(\s*(${expression})\s*(?:,\s*\d+\s*)?(?:,\s*(true|false|1|0)\s*)?\)\s*(\)?)$`,
);

/**
 * Reads a script in JScript that names its texts and arguments in variables, joins them with `+` and gives the result to Run or
 * Exec of WScript.Shell, once. Undefined: it does something else.
 */
export function readScript(text: string, args: readonly string[]): ScriptOrder | undefined {
  const values = new Map<string, string>();
  const objects = new Map<string, 'shell' | 'arguments'>([['WScript.Arguments', 'arguments']]);
  let order: ScriptOrder | undefined;
  const valueOf = (one: string): string | undefined => {
    if (/^["']/.test(one))
      return one.slice(1, -1).replace(/\\(.)/g, (_, character: string) => escapes[character] ?? character);
    const argument = /^([\w.]+)\((\d+)\)$/.exec(one);
    if (argument === null) return values.get(one);
    const holder = (argument[1] ?? '').replace(/\.Item$/, '');
    return objects.get(holder) === 'arguments' ? args[Number(argument[2])] : undefined;
  };
  const evaluate = (whole: string): string | undefined => {
    const parts = [...whole.matchAll(new RegExp(term, 'g'))].map(([one]) => valueOf(one));
    return parts.includes(undefined) ? undefined : parts.join('');
  };
  for (const statement of statementsOf(text)) {
    const assigned = assignment.exec(statement);
    const called = call.exec(statement);
    if (assigned !== null) {
      const [, name = '', what = ''] = assigned;
      if (what === 'WScript.Arguments') objects.set(name, 'arguments');
      else if (new RegExp(`^${shell}$`).test(what)) objects.set(name, 'shell');
      else {
        const value = evaluate(what);
        if (value === undefined) return undefined;
        values.set(name, value);
      }
    } else if (called !== null && order === undefined) {
      const [, quit, object = '', method, what = '', waits, end = ''] = called;
      const command = evaluate(what);
      const isShell = new RegExp(`^${shell}$`).test(object) || objects.get(object) === 'shell';
      if (command === undefined || !isShell || (quit === undefined) !== (end === '')) return undefined;
      order = { command, waits: method === 'Exec' || waits === 'true' || waits === '1', quits: quit !== undefined };
    } else return undefined;
  }
  return order;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The statements without comments; a semicolon inside a text ends none. */
function statementsOf(text: string): readonly string[] {
  const pieces = text.matchAll(new RegExp(String.raw`${literal}|//[^\r\n]*|;|[^"'/;]+|.`, 'g'));
  const statements = [''];
  for (const [piece] of pieces) {
    if (piece === ';') statements.push('');
    else if (!piece.startsWith('//')) statements.push(`${statements.pop() ?? ''}${piece}`);
  }
  return statements.map((statement) => statement.trim()).filter(Boolean);
}
