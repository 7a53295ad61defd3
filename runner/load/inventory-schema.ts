import { isIP } from 'node:net';
import { z } from 'zod';
import {
  groupsSection,
  limitsSection,
  paceSection,
  pythonSection,
  sampleSection,
  sensorsField,
  targetsFromField,
  wavesSection,
} from './rollout-schema.ts';
import { dateText, durationText, hostName, idText, instantText, line, prose, ruleId } from './texts.ts';

const span = z.strictObject({ from: instantText, to: instantText });
/** `HH:MM`, up to the end of the day, `24:00`. */
const clockTime = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "write a time of day in quotes, '08:30', up to '24:00'")
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));

export const weekDays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const weekly = z.strictObject({
  days: z.array(z.enum(weekDays)).min(1, 'name at least one day'),
  from: clockTime.refine((minute) => minute < 1_440, "a window opens at '23:59' at the latest"),
  to: clockTime,
  timeZone: z.string().refine(isTimeZone, 'use a name of the time zone database, such as Europe/Berlin or Etc/UTC'),
});

const hostAndPort = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}:[1-9]\d{0,4}$/, 'write loopback, or the sink as HOST:PORT')
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'use a port of at most 65535');

/** An entry that can be no name and no address would match nothing, and nobody would notice. */
function isHostOrNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.replace(/^\[(.*)\]/, '$1').split('/');
  const version = isIP(address);
  if (bits !== undefined)
    return version !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  // Numbers with dots that are no address are one that was mistyped.
  return (
    version !== 0 || (!/^[\d.]*\.[\d.]*$/.test(text) && [hostName, idText].some((name) => name.safeParse(text).success))
  );
}

const engagementSection = z.strictObject({
  id: idText,
  authorizedBy: line(200).describe('Who allowed this engagement'),
  contacts: z
    .array(line(200))
    .min(1, 'name at least one person to call')
    .max(50)
    .describe('Whom to call when something goes wrong'),
  changeTicket: line(100).exactOptional(),
  allowedSigners: line(1_000).describe('File with the keys of those who may approve plans').exactOptional(),
  signedPlans: z.boolean().default(false).describe('true: no plan runs without the signature of an approver'),
  neverTouch: z
    .array(
      line(253).refine(
        isHostOrNetwork,
        'write an id, a whole host name, an IP address or a network such as 10.0.0.0/8; no port, no pattern, one per entry',
      ),
    )
    .max(10_000)
    .default([])
    .describe(
      'Ids, host names, IP addresses and networks (CIDR) that are refused, whatever else is said; also when a name of a target stands for such an address',
    ),
  sink: z
    .union([z.literal('loopback'), hostAndPort])
    .default('loopback')
    .describe('Where network payloads connect to: loopback, or HOST:PORT of a web server of the engagement'),
});

export const windowEntry = z.strictObject({
  id: idText,
  groups: z.array(idText).min(1, 'name at least one group of targets'),
  span: span.exactOptional(),
  weekly: weekly.exactOptional(),
  freezes: z.array(z.strictObject({ ...span.shape, because: line(200) })).default([]),
  cleanupReserve: durationText('0s', '1d').prefault('5m').describe('Kept free for clean-up before the window closes'),
});

export const targetEntry = z.strictObject({
  id: hostName,
  platform: z.enum(['windows', 'macos', 'linux', 'esxi']),
  address: z
    .string()
    .refine((text) => isIP(text) !== 0 || hostName.safeParse(text).success, 'use a host name or an IP address'),
  // What else belongs here is the plug-in's to say: see plugin-settings.ts.
  transport: z.looseObject({ kind: z.string() }),
  accounts: z
    .array(
      z.looseObject({
        name: z
          .string()
          .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,103}\$?$/, 'use a login name: letters, digits, _ . @ \\ and -'),
        role: idText
          .default('standard')
          .describe('What scenarios ask for: standard, admin, service, automation, unlisted, or a role of your own'),
      }),
    )
    .min(1, 'name at least one account')
    .max(50),
  interpreter: line(400).regex(/^(?:\/|[A-Za-z]:[\\/])/, 'use the absolute path of the Python interpreter'),
  groups: z
    .array(idText)
    .default([])
    .describe('Whose windows say when it may be touched; see also groups of the inventory'),
  role: idText,
  owner: line(200),
  criticality: z.enum(['low', 'medium', 'high']),
  zone: idText,
  /** Per SIEM id; a SIEM that is not named here is not asked about this target. */
  names: z
    .record(z.string(), z.array(hostName).min(1, 'give at least one name, or leave the SIEM out'))
    .refine((names) => Object.keys(names).length > 0, 'say under which names a SIEM knows the host: { SIEM: [NAME] }'),
  maintenance: weekly
    .describe('When the owner runs maintenance; scenarios about the time of an execution are held against it')
    .exactOptional(),
  executables: z
    .record(
      idText,
      z
        .strictObject({
          path: line(1_000).describe('File on this machine, relative to the inventory'),
          sha256: z
            .string()
            .regex(/^[0-9a-f]{64}$/, 'write the SHA-256 of the file in 64 small hexadecimal digits')
            .exactOptional(),
          sha256File: line(1_000)
            .describe('Or a file as sha256sum writes it; while it is not there, the executable counts as not supplied')
            .exactOptional(),
        })
        .refine(
          ({ sha256, sha256File }) => (sha256 === undefined) !== (sha256File === undefined),
          'give exactly one of sha256 and sha256File',
        ),
    )
    .default({})
    .describe('Single-file executables that scenarios may run; detproof ships none'),
  fidelity: z.enum(['real', 'stand-in']).describe('A stand-in for another platform never counts'),
  parallel: z.number().int().min(1).max(8, "use at most 8: sshd's own limit is 10 sessions per connection").default(4),
  sensors: sensorsField,
});

const siemEntry = z.looseObject({ id: idText, kind: z.string() });

/** An id, or a pattern with `*`. */
const pattern = line(200).regex(/^[^*]*(?:\*[^*]*){0,4}$/, 'use at most four *');

export const overlayEntry = z.strictObject({
  scenarios: z
    .array(pattern)
    .min(1, "name at least one scenario, or '*' for all")
    .describe('Ids, with * for any text; of the entries that match, the last wins, field by field'),
  roles: z.array(idText).min(1, 'name a role, or leave the key out').exactOptional(),
  siems: z.array(idText).min(1, 'name a SIEM, or leave the key out').exactOptional(),
  rule: ruleId.exactOptional(),
  rules: z.array(ruleId).max(50).exactOptional(),
  stance: z.enum(['must-alert', 'must-stay-quiet', 'known-gap', 'not-collected']).exactOptional(),
  because: prose(500).exactOptional(),
  owner: line(200).exactOptional(),
  until: dateText.exactOptional(),
  within: durationText('1s', '7d').describe('How fast an alert must be there').exactOptional(),
  observeFor: durationText('1s', '7d').describe('How long to keep asking').exactOptional(),
  attribution: z
    .enum(['exact', 'correlated'])
    .describe('correlated: alerts that are tied by host, process and time count too')
    .exactOptional(),
  notCollected: z
    .array(line(300))
    .min(1, 'name a log source, or leave the key out')
    .describe('Log sources that this site does not collect')
    .exactOptional(),
});

/** `inventory.yaml` as the user writes it; settings of plug-ins are open here and checked against the plug-in's own schema. */
export const inventoryFile = z.strictObject({
  engagement: engagementSection,
  windows: z.array(windowEntry).min(1, 'without a window nothing may be touched'),
  groups: groupsSection,
  targets: z.array(targetEntry).min(1, 'name at least one target'),
  targetsFrom: targetsFromField,
  siems: z.array(siemEntry).min(1, 'name at least one SIEM').max(20),
  expectations: z.array(overlayEntry).default([]),
  limits: limitsSection.prefault({}),
  waves: wavesSection,
  pace: paceSection,
  sample: sampleSection,
  python: pythonSection,
});

export type InventoryFile = z.output<typeof inventoryFile>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
