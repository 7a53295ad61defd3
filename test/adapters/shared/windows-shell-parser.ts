/**
 * What a host's cmd.exe would make of a line, and its programs of their command line. Written by the rules as people who took
 * cmd.exe apart describe them ("How does the Windows Command Interpreter (CMD.EXE) parse scripts?", phases 1 and 2 on the
 * command line), independent of the quoting under test. Throws where the line would be more than one simple command.
 */
export function programOf(
  line: string,
  variables: Readonly<Record<string, string>>,
): { readonly name: string; readonly commandLine: string } {
  const text = withoutCarets(withVariables(line, variables)).replace(/^@+/, '');
  const name = /^(?:"[^"]*"|[^ \t"=,;/])+/.exec(text)?.[0] ?? '';
  return { name: name.replaceAll('"', ''), commandLine: text };
}

/** `cmd /c TEXT`: a text that begins with a quotation mark loses its first and its last one (`cmd /?`). */
export function slashC(text: string): string {
  if (!text.startsWith('"')) return text;
  const last = text.lastIndexOf('"');
  return text.slice(1, last) + text.slice(last + 1);
}

/** Phase 1 on the command line: `%NAME%`, `%NAME:old=new%`, `%NAME:~1,2%` of variables that there are; the rest stays. */
function withVariables(line: string, variables: Readonly<Record<string, string>>): string {
  let result = '';
  for (let at = 0; at < line.length;) {
    const end = line[at] === '%' ? line.indexOf('%', at + 1) : -1;
    const [name = '', ...modifier] = end < 0 ? [] : line.slice(at + 1, end).split(':');
    const value = variables[name.toUpperCase()];
    if (end > at + 1 && value !== undefined) {
      result += modifier.length === 0 ? value : '(changed)';
      at = end + 1;
    } else {
      result += line.charAt(at);
      at += 1;
    }
  }
  return result;
}

/** Phase 2: carets and quotation marks; any other character that cmd.exe acts on is an error here. */
function withoutCarets(line: string): string {
  let result = '';
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (character === '\n' || character === '\r') throw new Error('the line ends here');
    if (character === '"') quoted = !quoted;
    if (quoted || character !== '^') {
      if (!quoted && /[&|<>()]/.test(character)) throw new Error(`${character} at ${at} is acted on: ${line}`);
      result += character;
    } else {
      at += 1;
      if (at >= line.length) throw new Error('a caret at the end asks for another line');
      result += line.charAt(at);
    }
  }
  if (quoted) throw new Error(`a quotation mark is left open: ${line}`);
  return result;
}

/** CommandLineToArgvW, and the same as the C runtime reads it ("Parsing C++ command-line arguments", Microsoft). */
export function argvOf(commandLine: string): readonly string[] {
  const argv: string[] = [];
  let at = 0;
  // The name: quotation marks are taken off, backslashes are backslashes.
  let name = '';
  for (let quoted = false; at < commandLine.length; at += 1) {
    const character = commandLine.charAt(at);
    if (character === '"') quoted = !quoted;
    else if (!quoted && /[ \t]/.test(character)) break;
    else name += character;
  }
  argv.push(name);
  for (;;) {
    while (/[ \t]/.test(commandLine.charAt(at))) at += 1;
    if (at >= commandLine.length) return argv;
    let argument = '';
    for (let quoted = false; at < commandLine.length; at += 1) {
      const character = commandLine.charAt(at);
      if (!quoted && /[ \t]/.test(character)) break;
      if (character === '\\') {
        const run = /^\\+/.exec(commandLine.slice(at))?.[0].length ?? 0;
        const beforeQuote = commandLine.charAt(at + run) === '"';
        argument += '\\'.repeat(beforeQuote ? Math.floor(run / 2) : run);
        at += run - 1;
        if (beforeQuote && run % 2 === 1) {
          argument += '"';
          at += 1;
        }
      } else if (character === '"') {
        // Inside quotation marks a second one straight after stands for itself.
        if (quoted && commandLine.charAt(at + 1) === '"') {
          argument += '"';
          at += 1;
        } else quoted = !quoted;
      } else argument += character;
    }
    argv.push(argument);
  }
}
