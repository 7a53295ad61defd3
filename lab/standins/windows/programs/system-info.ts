import type { Program } from '../machine/machine.ts';
import { splitLine } from '../machine/command-line.ts';

/** whoami.exe: the account, with `/user` its SID too. */
export const whoami: Program = async ({ commandLine, logon, stdout, stderr }) => {
  const [, option] = splitLine(commandLine).map((word) => word.toLowerCase());
  const name = `${logon.domain}\\${logon.user}`.toLowerCase();
  if (option === undefined) await stdout.write(Buffer.from(`${name}\r\n`));
  else if (option === '/user')
    await stdout.write(
      Buffer.from(`\r\nUSER INFORMATION\r\n----------------\r\n\r\nUser Name  SID\r\n${name} ${logon.sid}\r\n`),
    );
  else {
    await stderr.write(Buffer.from(`The stand-in does not know: whoami ${option}\r\n`));
    return 1;
  }
  return 0;
};

/** hostname.exe. */
export const hostname: Program = async ({ stdout }, { name }) => {
  await stdout.write(Buffer.from(`${name}\r\n`));
  return 0;
};

/** tasklist.exe: the stand-in's processes; with `/v` or another option the same list. */
export const tasklist: Program = async ({ stdout }, { processes }) => {
  const rows = [...processes.values()].map(({ image, pid }) => {
    const name = image.slice(image.lastIndexOf('\\') + 1).slice(0, 25);
    return `${name.padEnd(25)} ${String(pid).padStart(8)} Services                   0     10,240 K`;
  });
  const head = [
    '',
    'Image Name                     PID Session Name        Session#    Mem Usage',
    '========================= ======== ================ =========== ============',
  ];
  await stdout.write(Buffer.from([...head, ...rows, ''].join('\r\n')));
  return 0;
};
