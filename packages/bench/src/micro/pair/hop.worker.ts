// One host of the hop benchmark: `ping` here and `pong` there send one event to and fro, or two device machines do so by
// telling each other what they have just become.
import { deviceLogic, type EventPort, type HostContext } from '@faultline/core/actor';

/** Words of the region `hops`. */
export const DONE = 0; // rounds ended; the ping's
export const ELAPSED_NS = 1; // of the last round, low word; the ping's. Published by DONE
export const ELAPSED_S = 2;
export const HOPS_REGION = 'hops';
export const GO = 'go';
export const HOP = 'hop';

export interface HopData {
  readonly self: 'ping' | 'pong';
  readonly other: 'ping' | 'pong';
  readonly xstate: boolean;
}

export default function setup(host: HostContext, { self, other, xstate }: HopData): void {
  const round = new Round(host);
  const goesOn = self === 'pong' ? () => true : () => round.goesOn();
  const send = xstate ? machineHop(host, self, other, goesOn) : receiverHop(host, self, other, goesOn);
  if (self === 'ping') host.addReceiver('start', (_code, _sender, trips) => round.begin(trips, send));
}

function receiverHop(host: HostContext, self: string, other: string, goesOn: () => boolean): () => void {
  const port = host.port(other, HOP);
  host.addReceiver(self, () => {
    if (goesOn()) port.send();
  });
  return () => void port.send();
}

/** Both machines are always in the same state between trips. Not told to the main thread: it would want a processor too. */
function machineHop(host: HostContext, self: string, other: string, goesOn: () => boolean): () => void {
  const ports: Record<string, EventPort> = { bound: host.port(other, 'bind'), unbound: host.port(other, 'unbind') };
  const actor = host.addActor(self, deviceLogic({}), { report: false });
  actor.subscribe(({ value }) => {
    if (self === 'pong') ports[value as string].send();
    else if (goesOn()) ports[value === 'bound' ? 'unbound' : 'bound'].send();
  });
  return () => void ports[actor.getSnapshot().value === 'bound' ? 'unbound' : 'bound'].send();
}

/** The ping's count of round trips, and its clock. */
class Round {
  readonly #words: Int32Array;
  readonly #base: number;
  #left = 0;
  #began = 0n;

  constructor(host: HostContext) {
    this.#words = host.arena.words;
    this.#base = host.arena.base(HOPS_REGION);
  }

  begin(trips: number, send: () => void): void {
    this.#left = trips;
    this.#began = process.hrtime.bigint();
    send();
  }

  goesOn(): boolean {
    if (--this.#left > 0) return true;
    const elapsed = process.hrtime.bigint() - this.#began;
    this.#words[this.#base + ELAPSED_NS] = Number(elapsed % 1_000_000_000n);
    this.#words[this.#base + ELAPSED_S] = Number(elapsed / 1_000_000_000n);
    Atomics.add(this.#words, this.#base + DONE, 1); // [P] pairs with [C] in hops.ts
    Atomics.notify(this.#words, this.#base + DONE);
    return false;
  }
}
