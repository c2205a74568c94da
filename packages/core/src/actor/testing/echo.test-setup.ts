// A host with one small machine, one queue with its pump, and the ways to end badly that the tests ask for.
import { setup } from 'xstate';
import type { HostSetup } from '../host-context.ts';
import { queueLogic } from '../machines/queue.machine.ts';

/** Words of the tests' region. */
export const PUMP_RUNS = 0;
export const EVENTS_TAKEN = 1;

const door = setup({ types: { events: {} as { type: 'open' | 'close' } } }).createMachine({
  id: 'door',
  initial: 'shut',
  states: { shut: { on: { open: 'ajar' } }, ajar: { on: { close: 'shut' } } },
});

export interface EchoData {
  readonly prefix: string;
  readonly badly?: 'setup-throws' | 'setup-exits' | 'no-actors';
}

const echo: HostSetup = (host, data) => {
  const { prefix, badly } = data as EchoData;
  const words = host.arena.words;
  const base = host.arena.base('test');
  if (badly === 'setup-throws') throw new Error('no such device');
  if (badly === 'setup-exits') process.exit(3);
  host.addActor(`${prefix}door`, door);
  host.addPump({
    name: 'count',
    run: () => {
      Atomics.add(words, base + PUMP_RUNS, 1);
      return 0;
    },
    hasWork: () => false,
  });
  host.addActor(
    `${prefix}queue`,
    queueLogic((on) => (on ? host.pumps.on('count') : host.pumps.off('count')), { drainQueue: async () => {} }),
  );
  host.addPump({
    name: 'throws',
    run: () => {
      throw new Error('the pump broke');
    },
    hasWork: () => true,
  });
  host.addReceiver(`${prefix}hand`, (code) => {
    Atomics.add(words, base + EVENTS_TAKEN, 1);
    const event = host.eventCodes.name(code);
    if (event === 'exit') process.exit(5);
    if (event === 'throw-in-timer') setTimeout(() => throwLater(), 0);
    if (event === 'throw-in-pump') host.pumps.on('throws');
    if (event === 'fill-memory') fillMemory();
    if (event === 'hang') for (;;);
  });
};
export default echo;

function throwLater(): never {
  throw new Error('a timer broke');
}

function fillMemory(): never {
  const kept: number[][] = [];
  for (;;) kept.push(new Array(100_000).fill(1.5));
}
