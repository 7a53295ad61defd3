import path from 'node:path';
import { z } from 'zod';
import type { CollectedLine, MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import { json, macEvent, macHostOf, unread } from './macos-event.ts';
import { macUserName, processesOf } from './macos-processes.ts';

const dataset = 'macos.endpointsecurity.exec';
const token = z.object({ auid: z.number(), ruid: z.number(), pid: z.number(), pidversion: z.number() });
const process = z.object({
  audit_token: token,
  ppid: z.number(),
  parent_audit_token: token,
  executable: z.object({ path: z.string() }),
});
const exec = z.object({ target: process, args: z.array(z.string()), cwd: z.object({ path: z.string() }) });
const message = z.object({
  time: z.iso.datetime(),
  process,
  event: z.union([z.object({ exec }), z.object({ fork: z.object({ child: process }) })]),
});

/**
 * Lines of `eslogger exec fork` (macOS 15). Executions become events; forks only tell which image a child has. The parent's
 * image is not in an execution's line, which has the parent's pid only: it is joined from the lines before.
 */
export const normaliser: MakeNormaliser = () => (line) => {
  const parsed = message.safeParse(json(line.text));
  if (!parsed.success) return unread(line, dataset);
  const { time, event, process } = parsed.data;
  const atMs = Date.parse(time);
  if ('exec' in event) return execution(line, event.exec, atMs);
  const image = { executable: process.executable.path };
  processesOf(line.host).forked(process.audit_token.pid, image, event.fork.child.audit_token.pid, atMs);
  return undefined;
};

function execution(line: CollectedLine, { target, args, cwd }: z.infer<typeof exec>, atMs: number): CollectedEvent {
  const { host } = line;
  const { audit_token: own, ppid, parent_audit_token: parentToken } = target;
  const executable = target.executable.path;
  const processes = processesOf(host);
  const parent = processes.imageOf(ppid, atMs);
  processes.executed(own.pid, ppid, { executable, args, cwd: cwd.path }, atMs);
  return {
    '@timestamp': new Date(atMs).toISOString(),
    event: macEvent(line, dataset, { category: ['process'], type: ['start'], action: 'exec', outcome: 'success' }),
    host: macHostOf(line),
    user: present({ id: String(own.ruid), name: macUserName(own.ruid), audit: { id: String(own.auid) } }),
    process: {
      pid: own.pid,
      entity_id: `${host}-${own.pid}-${own.pidversion}`,
      ppid,
      executable,
      name: path.posix.basename(executable),
      args,
      args_count: args.length,
      command_line: args.join(' '),
      working_directory: cwd.path,
      parent: present({
        pid: ppid,
        entity_id: `${host}-${ppid}-${parentToken.pidversion}`,
        executable: parent.executable,
        name: parent.executable === undefined ? undefined : path.posix.basename(parent.executable),
        args: parent.args,
        command_line: parent.args?.join(' '),
      }),
    },
  };
}
