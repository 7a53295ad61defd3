import { z } from 'zod';
import { parseDuration } from '../../../runner/domain/time.ts';

const durationText = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'expected a duration such as 10s');

const secretRef = z
  .string()
  .regex(
    /^(?:env|file|exec):./,
    'expected a reference such as file:secrets/password, env:NAME or exec:COMMAND, never the secret itself',
  );

/** The service ends what takes longer than its MaxTimeoutms, 60 s by default. */
const longestOperationMs = 60_000;

/** `transport:` of a target. Paths are relative to the inventory. */
export const winrmSettings = z
  .strictObject({
    tls: z
      .boolean()
      .default(true)
      .describe('https; with false, plain http, over which only messages that the login’s own keys seal are sent'),
    port: z.int().min(1).max(65_535).optional().describe('TCP port of the listener; 5986 by default, 5985 without tls'),
    path: z
      .string()
      .regex(/^\/[\w./-]*$/, 'expected a path such as /wsman')
      .default('/wsman')
      .describe('path of the listener'),
    auth: z
      .enum(['negotiate', 'basic', 'certificate', 'kerberos'])
      .default('negotiate')
      .describe(
        'how to log in: negotiate (NTLM), basic (local accounts, only with tls), certificate (of the client, only with tls), kerberos (the ticket cache of this process, only with tls)',
      ),
    ca: z.string().min(1).optional().describe('PEM file of the authorities to trust instead of the system’s'),
    fingerprint: z
      .string()
      .regex(
        /^[\da-f]{2}(?::?[\da-f]{2}){31}$/i,
        'expected a SHA-256 fingerprint: 64 hex digits, with or without colons',
      )
      .optional()
      .describe('SHA-256 of the host’s certificate; then that certificate is taken, whoever issued it, and no other'),
    insecureCertificate: z
      .literal(true)
      .optional()
      .describe('take any certificate: whoever is in between can read and change everything. Shown in every report'),
    tlsMaxVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .optional()
      .describe('TLSv1.2 where a host does not take client certificates over TLS 1.3'),
    channelBinding: z
      .boolean()
      .default(true)
      .describe('tie the login to the host’s certificate; false only where a proxy ends TLS. Shown in every report'),
    servicePrincipal: z
      .string()
      .regex(/^[A-Za-z]+$/, 'expected a class such as HTTP or WSMAN')
      .default('HTTP')
      .describe('class of the service principal, for kerberos'),
    connectTimeout: durationText.default('15s').describe('from the first packet to the end of the login'),
    operationTimeout: durationText
      .refine((text) => (parseDuration(text) ?? 0) <= longestOperationMs, 'expected at most 60s, as the service allows')
      .default('20s')
      .describe('how long the host may hold one request; commands may take longer'),
  })
  .superRefine((settings, context) => {
    const problem = (key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [key], message });
    };
    const trust = (['ca', 'fingerprint', 'insecureCertificate'] as const).filter((key) => settings[key] !== undefined);
    if (!settings.tls) {
      if (settings.auth !== 'negotiate')
        problem(
          'auth',
          settings.auth === 'basic'
            ? 'basic without tls would send the password in the clear. Use tls: true, or auth: negotiate'
            : `${settings.auth} needs tls: true`,
        );
      for (const key of [...trust, 'tlsMaxVersion'] as const)
        if (settings[key] !== undefined) problem(key, 'means nothing without tls. Take it out, or use tls: true');
    }
    for (const key of trust.slice(1)) problem(key, `give only one of ${trust.join(', ')}`);
  });
export type WinrmSettings = z.output<typeof winrmSettings>;

/** What an account of a target adds. Its name may be `DOMAIN\user`, `user@dns.name`, `.\user` or `user`. */
export const winrmAccount = z
  .strictObject({
    password: secretRef.optional().describe('reference to the password'),
    certificate: z.string().min(1).optional().describe('PEM file of the client’s certificate, for auth: certificate'),
    key: secretRef.optional().describe('reference to the private key (PEM) of that certificate'),
  })
  .superRefine((account, context) => {
    if ((account.certificate === undefined) !== (account.key === undefined))
      context.addIssue({
        code: 'custom',
        path: [account.key === undefined ? 'certificate' : 'key'],
        message: 'a certificate and its key go together: give both',
      });
    if (account.password !== undefined && account.key !== undefined)
      context.addIssue({ code: 'custom', path: ['password'], message: 'give a password or a certificate, not both' });
  });
export type WinrmAccount = z.output<typeof winrmAccount>;
