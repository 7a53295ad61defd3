import type { Actor, AuditFact } from './audit-facts.ts';

/** A process as Endpoint Security tells of it: one image of one process. */
export type MacProcess = Actor & {
  /** Rises with every fork and exec on the host, so that a pid used again is another process. */
  readonly pidVersion: number;
  readonly startMs: number;
  /** The parent as it was when this one was forked, or first heard of; absent when nothing was heard of it. */
  readonly parent?: Identity;
};

/** Which process it is, and whose: what an audit token holds. */
export type Identity = Omit<Actor, 'timeMs' | 'ppid' | 'executable' | 'tty'> & { readonly pidVersion: number };

const limit = 16_384;

/** The processes of the stand-in, from the facts about them: the image before an exec, and which version of a pid it was. */
export class MacProcesses {
  readonly #known = new Map<number, MacProcess>();
  #version = 0;

  /** The process of whoever did this, whose image its record tells. */
  actor(fact: Actor): MacProcess {
    const known = this.#known.get(fact.pid);
    if (known?.executable === fact.executable) return { ...known, ...actorOnly(fact) };
    return this.#put({ ...actorOnly(fact), startMs: fact.timeMs, ...childOf(this.#known.get(fact.ppid)) });
  }

  /** Parent and child after a fork. The child may have been heard of already: the parent's record is written when its call returns. */
  forked(fact: Extract<AuditFact, { is: 'fork' }>): { readonly parent: MacProcess; readonly child: MacProcess } {
    const parent = this.actor(fact);
    const known = this.#known.get(fact.child);
    const own = known !== undefined && known.startMs >= fact.timeMs ? known : undefined;
    const made = { ...actorOnly(fact), pid: fact.child, ppid: fact.pid };
    const child = own ?? this.#put({ ...made, startMs: fact.timeMs, ...childOf(parent) });
    return { parent, child };
  }

  /** The image before and after an exec. A process that was not heard of has its parent's image: it was forked from it a moment ago. */
  executed(fact: Extract<AuditFact, { is: 'exec' }>): { readonly before: MacProcess; readonly after: MacProcess } {
    const parent = this.#known.get(fact.ppid);
    const own = this.#known.get(fact.pid);
    // Another parent than before: a later process with the same pid, unless the parent is gone and init has taken its place.
    const isOwn = own !== undefined && (own.ppid === fact.ppid || fact.ppid === 1);
    const image = { ...actorOnly(fact), executable: parent?.executable ?? '' };
    const before = isOwn ? own : this.#put({ ...image, startMs: fact.timeMs, ...childOf(parent) });
    const same = { startMs: before.startMs, ...(before.parent && { parent: before.parent }) };
    const after = this.#put({ ...actorOnly(fact), ...same });
    return { before, after };
  }

  /** What is known of a pid now. */
  imageOf(pid: number): string | undefined {
    return this.#known.get(pid)?.executable;
  }

  #put(process: Omit<MacProcess, 'pidVersion'>): MacProcess {
    this.#version += 1;
    const made = { ...process, pidVersion: this.#version };
    this.#known.delete(made.pid);
    this.#known.set(made.pid, made);
    const [oldest] = this.#known.keys();
    if (this.#known.size > limit && oldest !== undefined) this.#known.delete(oldest);
    return made;
  }
}

function childOf(parent: MacProcess | undefined): { readonly parent?: Identity } {
  if (parent === undefined) return {};
  const { pid, pidVersion, uid, euid, gid, egid, session, auid } = parent;
  return { parent: { pid, pidVersion, uid, euid, gid, egid, session, ...(auid !== undefined && { auid }) } };
}

function actorOnly(fact: Actor): Actor {
  const { timeMs, pid, ppid, executable, auid, uid, euid, gid, egid, session, tty } = fact;
  return {
    timeMs,
    pid,
    ppid,
    executable,
    uid,
    euid,
    gid,
    egid,
    session,
    ...(auid !== undefined && { auid }),
    ...(tty !== undefined && { tty }),
  };
}
