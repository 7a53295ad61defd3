import type { Redactor } from './redact.ts';
import { shortestSecret } from './secret-forms.ts';

type Settings = { readonly settings: unknown };

/** What of an inventory may refer to secrets. */
type Referring = {
  readonly targets: readonly { readonly transport: Settings; readonly accounts: readonly Settings[] }[];
  readonly siems: readonly Settings[];
};

/** Where an agent listens is no secret, and children such as a password manager's command need it. */
const agentSocket = 'SSH_AUTH_SOCK';

/**
 * The environment variables that an inventory's secrets are in. Each is taken out of the environment before anything is started:
 * every child process gets a copy of it, and so would a payload, an interpreter and `ssh` on this machine. The redactor knows them from
 * then on, also those that only a later wave needs.
 */
export class SecretVariables {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #redactor: Redactor;
  readonly #taken = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv, redactor: Redactor) {
    this.#environment = environment;
    this.#redactor = redactor;
  }

  /** Takes all that the settings of targets, accounts and SIEMs refer to. */
  takeAll({ targets, siems }: Referring): void {
    const settings = [...targets.flatMap(({ transport, accounts }) => [transport, ...accounts]), ...siems];
    for (const name of settings.flatMap(({ settings: one }) => variablesIn(one))) this.read(name);
  }

  read(name: string): string | undefined {
    const value = this.#taken.get(name) ?? this.#environment[name];
    if (value === undefined || name === agentSocket) return value;
    this.#taken.set(name, value);
    const bytes = Buffer.from(value);
    if (bytes.byteLength >= shortestSecret) this.#redactor.add(`env:${name}`, bytes);
    Reflect.deleteProperty(this.#environment, name);
    return value;
  }
}

function variablesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.startsWith('env:') ? [value.slice('env:'.length)] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(variablesIn) : [];
}
