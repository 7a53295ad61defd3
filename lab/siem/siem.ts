import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Alert } from './alert.ts';
import { AuditJoiner } from './audit-join.ts';
import type { AuditEvent } from './audit-join.ts';
import { AuditNormaliser } from './audit-normalise.ts';
import { parseAuditRecord } from './audit-record.ts';
import type { SiemConfig } from './config.ts';
import { Detector } from './detector.ts';
import type { CollectedEvent, EcsEvent } from './ecs-event.ts';
import { withFaults, withHostileText } from './fault-effects.ts';
import { readFaults } from './fault-file.ts';
import type { FaultState } from './fault-file.ts';
import { noFaults } from './faults.ts';
import { LabHosts } from './lab-hosts.ts';
import { LogFollower, positionSchema } from './log-follower.ts';
import type { LogPosition } from './log-follower.ts';
import type { Normalisers } from './normalisers.ts';
import { ProcessTable } from './process-table.ts';
import { fingerprintOf, loadRules } from './rule-set.ts';
import type { RuleSet } from './rule-set.ts';
import { StandInLines } from './stand-in-lines.ts';
import { Store } from './store.ts';
import { normaliseSyslog } from './syslog-normalise.ts';
import type { SyslogDatagram } from './syslog-normalise.ts';

/** How often each thing is done, in milliseconds. */
const every = { faults: 200, heartbeat: 500, rules: 2000, health: 1000, checkpoint: 500 } as const;
/** The ids of so much of the newest events are known again after a restart, so that none is stored twice. */
const rememberedBytes = 8 * 1024 * 1024;

/**
 * The lab's SIEM without its sockets: collector, normaliser, detector and store. Everything is done in {@link tick} and
 * {@link takeSyslog}, each of which ends with what it took in being stored and looked at; so a rule's word about a span of
 * time can be believed.
 */
export class Siem {
  readonly #config: SiemConfig;
  readonly #log: (message: string) => void;
  readonly #now: () => number;
  readonly #store: Store;
  readonly #hosts: LabHosts;
  readonly #normaliser: AuditNormaliser;
  readonly #joiner = new AuditJoiner<LogPosition>();
  readonly #follower: LogFollower;
  readonly #standIns: StandInLines;
  readonly #checkpointFile: string;
  readonly #stored: Set<string>;
  readonly #startedMs: number;
  readonly #doneMs = new Map<keyof typeof every, number>();
  readonly #said = new Set<string>();
  #faults: FaultState = { digest: noFaults, faults: {} };
  #rules: RuleSet;
  #detector: Detector;
  #sequence = 0;
  #checkpoint = '';

  /** @param own `now`: milliseconds since the epoch, a test brings its own clock; `normalisers`: for the formats of stand-ins. */
  constructor(
    config: SiemConfig,
    log: (message: string) => void,
    own: { readonly now?: () => number; readonly normalisers?: Normalisers } = {},
  ) {
    this.#config = config;
    this.#log = log;
    this.#now = own.now ?? Date.now;
    this.#startedMs = this.#now();
    this.#store = new Store(config.storeDir);
    this.#hosts = new LabHosts(config.hosts);
    this.#normaliser = new AuditNormaliser(this.#hosts, new ProcessTable());
    this.#checkpointFile = path.join(config.storeDir, 'checkpoint.json');
    this.#follower = new LogFollower(config.auditLog, readCheckpoint(this.#checkpointFile) ?? 'end');
    this.#standIns = new StandInLines(config, own.normalisers ?? new Map(), (said) => {
      this.#sayOnce(said);
    });
    this.#stored = new Set(idsIn(this.#store.events.tail(rememberedBytes)));
    this.#rules = loadRules(config.rulesDir, []);
    this.#detector = new Detector(this.#rules, this.#serverMs());
    for (const { id, problem } of this.#rules.rules)
      if (problem !== undefined) log(`rule ${id} cannot run: ${problem}`);
    this.#applyFaults();
    this.#beat();
  }

  /** Does what is to be done now. To be called about ten times a second; it does not wait. */
  tick(): void {
    if (this.#isTimeFor('faults')) this.#applyFaults();
    if (this.#isTimeFor('rules')) this.#reloadRules();
    this.#take(this.#readAudit(this.#joiner.overdue(this.#now())));
    this.#take(this.#standIns.read(this.#now()));
    if (this.#isTimeFor('health')) this.#tellRuns();
    if (this.#isTimeFor('checkpoint')) this.#saveCheckpoint();
    if (this.#isTimeFor('heartbeat')) this.#beat();
  }

  /** Takes one datagram in. */
  takeSyslog(datagram: SyslogDatagram): void {
    this.#sequence += 1;
    this.#take([normaliseSyslog(datagram, this.#sequence, this.#hosts)]);
  }

  /** Takes one datagram in that a stand-in has sent. */
  takeRelayed(datagram: Buffer): void {
    this.#take(this.#standIns.relayed(datagram, this.#now()));
  }

  /** Stores everything that has come, complete or not, and lets go of all files. */
  close(): void {
    this.#take(this.#readAudit([]));
    this.#take(this.#normalised(this.#joiner.flush()));
    this.#take(this.#standIns.read(this.#now()));
    this.#tellRuns();
    this.#saveCheckpoint();
    this.#beat();
    this.#follower.close();
    this.#standIns.close();
    this.#store.close();
  }

  #readAudit(overdue: readonly AuditEvent[]): readonly CollectedEvent[] {
    const events = [...overdue];
    try {
      for (const { text, start } of this.#follower.read()) {
        const record = parseAuditRecord(text);
        if (record === undefined) continue;
        const complete = this.#joiner.add(record, start, this.#now());
        if (complete !== undefined) events.push(complete);
      }
      if (this.#follower.lost > 0)
        this.#sayOnce(
          `the audit log was replaced ${this.#follower.lost} times while it was not being read; lines may be missing`,
        );
    } catch (error) {
      this.#sayOnce(`the audit log cannot be read: ${(error as Error).message}`);
    }
    return this.#normalised(events);
  }

  #normalised(events: readonly AuditEvent[]): readonly CollectedEvent[] {
    return events.flatMap((event) => this.#normaliser.normalise(event) ?? []);
  }

  #take(collected: readonly CollectedEvent[]): void {
    const nowMs = this.#serverMs();
    const ingested = new Date(nowMs).toISOString();
    const events: EcsEvent[] = [];
    for (const one of collected) {
      const event = this.#stored.has(one.event.id) ? undefined : withFaults(one, this.#faults.faults);
      if (event !== undefined) events.push({ ...event, event: { ...event.event, ingested } });
    }
    this.#store.events.append(events);
    const alerts = [...this.#detector.due(nowMs), ...events.flatMap((event) => this.#detector.look(event, nowMs))];
    this.#store.alerts.append(alerts.map((alert) => this.#asRaised(alert)));
    for (const { id } of events.map(({ event }) => event)) this.#remember(id);
  }

  #asRaised(alert: Alert): Alert {
    return withHostileText(alert, this.#faults.faults, ['rule.name']);
  }

  /** Ids are remembered to drop what is read again after a restart, not for ever. */
  #remember(id: string): void {
    this.#stored.add(id);
    const [oldest] = this.#stored;
    if (this.#stored.size > 50_000 && oldest !== undefined) this.#stored.delete(oldest);
  }

  #applyFaults(): void {
    const before = this.#faults;
    let after: FaultState;
    try {
      after = readFaults(this.#config.controlFile, before);
    } catch (error) {
      this.#sayOnce(`the faults cannot be read: ${(error as Error).message}`);
      return;
    }
    if (after === before) return;
    // What was taken in until now was under the old faults, and so are the rules' runs.
    this.#take([...this.#readAudit([]), ...this.#standIns.read(this.#now())]);
    this.#tellRuns();
    this.#faults = after;
    this.#log(`faults: ${after.problem === undefined ? JSON.stringify(after.faults) : `refused: ${after.problem}`}`);
    const clockSet = (before.faults.serverClockOffsetMs ?? 0) !== (after.faults.serverClockOffsetMs ?? 0);
    this.#changeRules(clockSet);
    this.#beat();
  }

  #reloadRules(): void {
    try {
      const { extraRules = [] } = this.#faults.faults;
      if (fingerprintOf(this.#config.rulesDir, extraRules) === this.#rules.fingerprint) return;
      this.#tellRuns();
      this.#changeRules(false);
      this.#log(`rules loaded again: ${this.#rules.rules.length}`);
    } catch (error) {
      this.#sayOnce(`the rules cannot be read: ${(error as Error).message}`);
    }
  }

  #changeRules(clockSet: boolean): void {
    const { extraRules = [] } = this.#faults.faults;
    if (fingerprintOf(this.#config.rulesDir, extraRules) !== this.#rules.fingerprint)
      this.#rules = loadRules(this.#config.rulesDir, extraRules);
    this.#detector.change(this.#rules, this.#faults.faults, this.#serverMs(), clockSet);
  }

  #tellRuns(): void {
    const trouble = this.#store.events.trouble ?? this.#store.alerts.trouble;
    this.#store.rules.append(this.#detector.runs(this.#serverMs(), trouble));
    for (const said of this.#store.troubles) this.#sayOnce(said);
  }

  /** Everything before this place in the log is stored; an event that began there and is not, is read again. */
  #saveCheckpoint(): void {
    if (this.#store.events.trouble === undefined) this.#standIns.saveCheckpoints();
    const position = this.#joiner.oldestStart ?? this.#follower.position;
    const text = JSON.stringify(position);
    if (position === undefined || text === this.#checkpoint || this.#store.events.trouble !== undefined) return;
    try {
      writeFileSync(`${this.#checkpointFile}.next`, text, { mode: 0o600 });
      renameSync(`${this.#checkpointFile}.next`, this.#checkpointFile);
      this.#checkpoint = text;
    } catch (error) {
      this.#sayOnce(`the checkpoint cannot be written: ${(error as Error).message}`);
    }
  }

  #beat(): void {
    this.#store.beat({
      '@timestamp': new Date(this.#serverMs()).toISOString(),
      pid: process.pid,
      started: new Date(this.#startedMs).toISOString(),
      intervalMs: every.heartbeat,
      ruleIntervalMs: every.health,
      faults: this.#faults.digest,
      ...(this.#faults.problem !== undefined && { faultsProblem: this.#faults.problem }),
      troubles: this.#store.troubles,
    });
  }

  #serverMs(): number {
    return this.#now() + (this.#faults.faults.serverClockOffsetMs ?? 0);
  }

  #isTimeFor(what: keyof typeof every): boolean {
    const nowMs = this.#now();
    const doneMs = this.#doneMs.get(what);
    if (doneMs !== undefined && nowMs >= doneMs && nowMs - doneMs < every[what]) return false;
    this.#doneMs.set(what, nowMs);
    return true;
  }

  #sayOnce(message: string): void {
    if (this.#said.size > 1000) this.#said.clear();
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#log(message);
  }
}

function readCheckpoint(file: string): LogPosition | undefined {
  try {
    return positionSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // No checkpoint, or none that can be read: the first start.
    return undefined;
  }
}

const storedId = z.object({ event: z.object({ id: z.string() }) });

function idsIn(lines: string): readonly string[] {
  return lines.split('\n').flatMap((line) => {
    try {
      return [storedId.parse(JSON.parse(line)).event.id];
    } catch {
      // The empty end, or a line that somebody else spoilt: it stands for no event that could come again.
      return [];
    }
  });
}
