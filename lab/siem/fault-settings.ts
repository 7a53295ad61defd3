import { z } from 'zod';

const milliseconds = z.int().min(-31_536_000_000).max(31_536_000_000);

/** The faults that the SIEM can be given, for tests and demonstrations. What is absent is as it should be. */
export const faultSchema = z.strictObject({
  /** The collector forwards nothing of these hosts. */
  dropHosts: z.array(z.string()).optional(),
  /** The collector forwards nothing of these sources. */
  dropSources: z.array(z.enum(['auditd', 'syslog', 'esxi', 'macos', 'windows'])).optional(),
  /** Rules (by id) that are switched off. */
  rulesOff: z.array(z.string()).optional(),
  /** Rules (by id) whose every run fails. */
  rulesFailing: z.array(z.string()).optional(),
  /** No rule runs, and nothing is said about any. */
  detectorDown: z.boolean().optional(),
  /** Rules (by id) that run this much later than events arrive. */
  alertDelayMs: z.record(z.string(), milliseconds.nonnegative()).optional(),
  /** Hosts whose events carry times that are this much off. */
  clockOffsetMs: z.record(z.string(), milliseconds).optional(),
  /** The sensor cuts command lines after so many characters, arguments, title and raw text alike. */
  truncateCommandLine: z.int().nonnegative().optional(),
  /** Events name no parent. */
  dropParent: z.boolean().optional(),
  /** Events name this program as the parent. */
  wrongParent: z.string().optional(),
  /** The SIEM's own clock is so much off. */
  serverClockOffsetMs: milliseconds.optional(),
  /** Escape sequences, markup and broken characters at the end of fields: of those named here (dotted), or, when true, of those that decide nothing. */
  hostileFields: z.union([z.boolean(), z.array(z.string())]).optional(),
  /** Sigma rules besides those of the folder, as text; their ids are `extra-1`, `extra-2` … */
  extraRules: z.array(z.string()).optional(),
});

export type Faults = z.infer<typeof faultSchema>;
