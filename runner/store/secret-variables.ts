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
 * every child process gets a copy of it, and so would a payload, an interpreter and `ssh` on this machine.
 */
export class SecretVariables {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #taken = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
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
    Reflect.deleteProperty(this.#environment, name);
    return value;
  }
}

function variablesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.startsWith('env:') ? [value.slice('env:'.length)] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(variablesIn) : [];
}
