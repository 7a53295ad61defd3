import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { auditKeys, macFiles, macHost } from './host.ts';

const x64 = process.arch === 'x64';
const FORKS = x64 ? 'fork,vfork,clone,clone3' : 'clone,clone3';

/**
 * Gives the kernel the rules that the stand-in's sensors need, beside the lab's own: `down` deletes them with those, by their
 * keys. Audit is on. The copies of the daemons must exist: rules on an executable name a file.
 */
export async function loadAuditRules(runtime: string): Promise<void> {
  const file = path.join(runtime, 'audit.rules');
  writeFileSync(file, rules(runtime).join('\n') + '\n', { mode: 0o600 });
  await execa('auditctl', ['-R', file], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    extendEnv: false,
  });
}

/** What the account executes, by uid and login id; its connections, children and new files; and the children of its host's daemons. */
function rules(runtime: string): readonly string[] {
  const { sshd, launchd } = macFiles(runtime);
  const { uid } = macHost;
  const rule = (calls: string, filter: string, key: keyof typeof auditKeys, arch = 'b64'): string =>
    `-a always,exit -F arch=${arch} -S ${calls} ${filter} -k ${auditKeys[key]}`;
  const makes = (calls: string, filter = ''): string =>
    rule(calls, `${filter} -F uid=${uid} -F success=1`.trim(), 'file');
  // O_CREAT of fcntl.h is 0100 in octal; `&=` tests bits (auditctl(8)).
  const creates = x64
    ? [
        makes('open', '-F a1&=0x40'),
        makes('openat', '-F a2&=0x40'),
        makes('creat,rename,renameat,renameat2,link,linkat'),
      ]
    : [makes('openat', '-F a2&=0x40'), makes('renameat,renameat2,linkat')];
  return [
    ...(x64 ? ['b64', 'b32'] : ['b64']).flatMap((arch) => [
      rule('execve,execveat', `-F uid=${uid}`, 'exec', arch),
      rule('execve,execveat', `-F auid=${uid}`, 'exec', arch),
      ...[2, 10].map((family) => rule('connect', `-F uid=${uid} -F saddr_fam=${family}`, 'connect', arch)),
    ]),
    rule(FORKS, `-F uid=${uid} -F success=1`, 'fork'),
    ...[sshd, launchd].flatMap((program) => [
      rule('execve', `-F exe=${program}`, 'daemon'),
      rule(FORKS, `-F exe=${program} -F success=1`, 'daemon'),
    ]),
    ...creates,
  ];
}
