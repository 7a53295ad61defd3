/** Appends to the journal that it is given until it is killed; says so when the first line is on disk. */
import { instant } from '../../runner/domain/time.ts';
import { JournalFile } from '../../runner/store/journal.ts';

const clock = { now: () => instant(Date.now()), sleep: () => Promise.resolve() };
const [path = '', mode] = process.argv.slice(2);
const journal = await JournalFile.open(path, {
  clock,
  redact: (text) => text,
  mode: mode === 'new' ? 'new' : 'append',
});
for (let line = 0; ; line += 1) {
  await journal.append({ type: 'reaching', data: { target: `host-${line}`, account: 'x'.repeat(line % 5_000) } });
  if (line === 0) process.stdout.write('begun\n');
}
