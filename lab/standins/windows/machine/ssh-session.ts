import type { Machine } from './machine.ts';
import type { SshDoor } from './door.ts';

const shell = 'C:\\Windows\\System32\\cmd.exe';

/** What OpenSSH for Windows does with a session: `cmd.exe /c "COMMAND"` as a child of the connection's sshd.exe, in the profile folder. */
export function sshSession(machine: Machine): SshDoor {
  return ({ account, ip, port, command }, streams) => {
    const found = machine.accounts.find(account);
    if (found === undefined) return undefined;
    const logon = machine.accounts.logon(found, 8);
    machine.events.loggedOn(logon, { ip, port, workstation: machine.name, method: 'ssh' });
    // sshd's sessions say from which port their connection comes.
    const client = `${ip} ${port}`;
    const session = machine.start({
      image: shell,
      // sshd adds the outer quotes and escapes nothing.
      commandLine: command === '' ? `"${shell.toLowerCase()}"` : `"${shell.toLowerCase()}" /c "${command}"`,
      cwd: machine.home(logon),
      env: machine.environment(logon),
      logon,
      parent: machine.sshConnection(client),
      ...streams,
    });
    void session.exited.then(() => {
      machine.leaveSshConnection(client);
    });
    return session;
  };
}
