// Hosts that send numbered events to one sink, and the sink that checks them.
import { setup } from 'xstate';
import type { HostSetup } from '../host-context.ts';

/** Words of the tests' region. */
export const OUT_OF_ORDER = 0;
export const WRONG_PAYLOAD = 1;
/** How many from sender i, at TAKEN_FROM + i. */
export const TAKEN_FROM = 2;

export interface FloodData {
  /** Number of this sender, from 1; 0 is the sink. */
  readonly sender: number;
  readonly senders: number;
  readonly count: number;
  readonly seed: number;
}

const sink = setup({ types: { events: {} as { type: 'filled' } } }).createMachine({
  id: 'sink',
  initial: 'filling',
  states: { filling: { on: { filled: 'full' } }, full: {} },
});

const flood: HostSetup = (host, data) => {
  const { sender, senders, count, seed } = data as FloodData;
  const words = host.arena.words;
  const base = host.arena.base('test');
  if (sender === 0) {
    let left = senders * count;
    host.addActor('sink', sink);
    host.addReceiver('intake', (_code, from, number, check) => {
      const takenAt = base + TAKEN_FROM + from;
      if (number !== words[takenAt] + 1) Atomics.add(words, base + OUT_OF_ORDER, 1);
      if (check !== (Math.imul(number, seed) ^ from)) Atomics.add(words, base + WRONG_PAYLOAD, 1);
      Atomics.add(words, takenAt, 1);
      if (--left === 0) host.send('sink', 'filled');
    });
    return;
  }
  const port = host.port('intake', 'number', `sender${sender}`);
  let sent = 0;
  host.addPump({
    name: 'flood',
    run: (budget) => {
      const before = sent;
      const end = Math.min(count, sent + budget);
      while (sent < end && port.send(sent + 1, Math.imul(sent + 1, seed) ^ sender)) sent++;
      return sent - before;
    },
    hasWork: () => sent < count,
  });
  host.addReceiver(`sender${sender}`, () => host.pumps.on('flood'));
};
export default flood;
