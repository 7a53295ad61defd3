import t from 'tap';
import { Host } from '../../runner/pipeline/host.ts';
import { type Session, type Transport, TransportFailure } from '../../runner/ports.ts';
import { authorizedTarget } from '../contract/authorized-target.ts';
import { failureOf } from '../contract/transport-contract.ts';

const never = new AbortController().signal;
const target = authorizedTarget({
  address: '192.0.2.1',
  kind: 'none',
  settings: {},
  account: 'user',
  accountSettings: {},
});

/** Sessions that break when told to, as a connection does: all that is under way on one fails at once. */
class Breakable {
  made = 0;
  readonly disposed: number[] = [];
  #break: () => void = () => undefined;
  #broken = new Promise<never>(() => undefined);

  readonly transport: Transport = {
    connect: () => {
      const number = this.made;
      this.made += 1;
      const { promise, reject } = Promise.withResolvers<never>();
      promise.catch(() => undefined);
      this.#broken = promise;
      this.#break = () => {
        reject(new TransportFailure('lost', `connection ${number} was lost`));
      };
      const missing = (): Promise<never> => Promise.reject(new Error('not used here'));
      const session: Session = {
        run: missing,
        put: missing,
        get: missing,
        [Symbol.asyncDispose]: () => {
          this.disposed.push(number);
          return Promise.resolve();
        },
      };
      return Promise.resolve(session);
    },
  };

  /** What is under way until the connection breaks. */
  work(): Promise<never> {
    return this.#broken;
  }

  break(): void {
    this.#break();
  }
}

t.test('host: one break of a connection is one loss, however much was under way, and it is disposed of', async (t) => {
  const connection = new Breakable();
  {
    await using host = new Host(connection.transport);
    for (let breaks = 1; breaks <= 3; breaks += 1) {
      const running = [1, 2, 3, 4].map(() => host.use(target, never, () => connection.work()));
      await host.use(target, never, () => Promise.resolve());
      connection.break();
      for (const work of running) await failureOf(t, work, 'lost');
      t.equal(connection.made, breaks, 'one connection for all four');
      t.equal(connection.disposed.length, breaks, 'what is given up is let go of at once');
    }
    t.equal(await host.use(target, never, () => Promise.resolve('done')), 'done', 'three times it is made again');
    const last = host.use(target, never, () => connection.work());
    await host.use(target, never, () => Promise.resolve());
    connection.break();
    await failureOf(t, last, 'lost');
    await failureOf(
      t,
      host.use(target, never, () => connection.work()),
      'lost',
    );
    t.equal(connection.made, 4, 'and no more');
  }
  t.same(connection.disposed, [0, 1, 2, 3], 'each once');
});

t.test('host: a session that was given up stays while somebody uses it', async (t) => {
  const connection = new Breakable();
  await using host = new Host(connection.transport);
  const end = Promise.withResolvers<string>();
  const going = host.use(target, never, () => end.promise);
  const lost = new TransportFailure('lost', 'one command could not be ended');
  await t.rejects(
    host.use(target, never, () => Promise.reject(lost)),
    lost,
  );
  await host.use(target, never, () => Promise.resolve());
  t.equal(connection.made, 2);
  t.same(connection.disposed, [], 'disposing of it would end the other command');
  end.resolve('to its end');
  t.equal(await going, 'to its end');
  t.same(connection.disposed, [0]);
});
