import { IommuError } from '@faultline/core/errors';
import { Doorbell, type Words } from '@faultline/core/sync';
import { Announcements, NO_PORT } from '../queue/announce.ts';
import { Turns } from '../queue/turns.ts';
import {
  PORT_ANNOUNCE,
  PORT_CAPACITY,
  PORT_DONE,
  PORT_INDEX,
  PORT_PROD,
  PORT_SLOTS,
  PORT_STREAM,
  PORT_SUBSTREAM,
  PORT_WAKE,
  STALL_RESULT,
  STALL_RESUMED,
  STALL_WORDS,
} from './stall-port.ts';

// The hardware's side of all stall ports: which have stalls that are not recorded yet, taken in turn, and which rounds are done.
// Orderings are named in stall-port.ts. Everything here is the hardware's own, except the words of the ports.

// One port's private words, a line of 64 bytes.
const PROD_AT = 0;
const DONE_AT = 1;
const SLOTS_AT = 2;
const STREAM = 3;
const SUBSTREAM = 4;
const DONE = 5; // slots of finished rounds, since the start; equals PROD of the port when a round ends
const LEFT = 6; // slots of this round without a result
const NEXT = 7; // word offset of the next slot to take
const WAITING = 8; // slots of this round not taken yet
const PORT_ENTRY = 16;

export class PortSet {
  readonly #words: Words;
  readonly #ports: Int32Array;
  readonly #bells: Doorbell[];
  readonly #turns: Turns; // ports with stalls not taken
  readonly #announced: Announcements;
  readonly count: number;

  /** @param bases base of each port, in order of its PORT_INDEX.
   * @throws IommuError EINVAL when a port's index is not its place, or its announce bitmap is not this SMMU's. */
  constructor(words: Words, announceBase: number, bases: readonly number[]) {
    this.#words = words;
    this.#announced = new Announcements(words, announceBase, bases.length);
    this.#turns = new Turns(bases.length);
    this.count = bases.length;
    this.#ports = new Int32Array(bases.length * PORT_ENTRY);
    this.#bells = [];
    const bells = new Map<number, Doorbell>();
    bases.forEach((base, port) => {
      if (words[base + PORT_INDEX] !== port || words[base + PORT_CAPACITY] === 0)
        throw new IommuError('EINVAL', 'SmmuHardware', 'ports', base, `no stall port ${port} was laid out here`);
      if (words[base + PORT_ANNOUNCE] !== announceBase)
        throw new IommuError('EINVAL', 'SmmuHardware', 'ports', base, `port ${port} announces to another SMMU`);
      const at = port * PORT_ENTRY;
      this.#ports[at + PROD_AT] = base + PORT_PROD;
      this.#ports[at + DONE_AT] = base + PORT_DONE;
      this.#ports[at + SLOTS_AT] = base + PORT_SLOTS;
      this.#ports[at + STREAM] = words[base + PORT_STREAM];
      this.#ports[at + SUBSTREAM] = words[base + PORT_SUBSTREAM];
      this.#ports[at + DONE] = Atomics.load(words, base + PORT_DONE);
      const wake = words[base + PORT_WAKE];
      const bell = bells.get(wake) ?? new Doorbell(words, wake);
      bells.set(wake, bell);
      this.#bells.push(bell);
    });
  }

  /** Takes the announcements that have come in: their ports join the end of the turn list. */
  collect(): void {
    for (let port = this.#announced.next(); port !== NO_PORT; port = this.#announced.next()) this.#open(port);
  }

  /** Whether a port has announced itself since {@link collect}. */
  announced(): boolean {
    return this.#announced.pending();
  }

  /** @returns the port whose turn it is, or NO_PORT. */
  head(): number {
    return this.#turns.head();
  }

  /** Ends the head's turn: to the end of the list, or off it when all its slots are taken. */
  rotate(): void {
    const port = this.head();
    this.#turns.leave();
    if (this.#ports[port * PORT_ENTRY + WAITING] > 0) this.#turns.join(port);
  }

  /** StreamID of a port, as i32 bits. */
  stream(port: number): number {
    return this.#ports[port * PORT_ENTRY + STREAM];
  }

  /** SubstreamID of a port, or -1. */
  substream(port: number): number {
    return this.#ports[port * PORT_ENTRY + SUBSTREAM];
  }

  /** Slots of the port that are not taken yet. */
  waiting(port: number): number {
    return this.#ports[port * PORT_ENTRY + WAITING];
  }

  /** Word offset of the next slot of a port that has some waiting. */
  peek(port: number): number {
    return this.#ports[port * PORT_ENTRY + NEXT];
  }

  /** Takes the next `count` slots of a port that has so many waiting. @returns word offset of the first. */
  take(port: number, count: number): number {
    const at = port * PORT_ENTRY;
    const slot = this.#ports[at + NEXT];
    this.#ports[at + NEXT] = slot + count * STALL_WORDS;
    this.#ports[at + WAITING] -= count;
    return slot;
  }

  /** Gives a taken slot its result; the round's last one wakes the device. */
  finish(port: number, slotAt: number, result: number, tick: number): void {
    this.#words[slotAt + STALL_RESULT] = result;
    this.#words[slotAt + STALL_RESUMED] = tick;
    const at = port * PORT_ENTRY;
    const left = this.#ports[at + LEFT] - 1;
    this.#ports[at + LEFT] = left;
    if (left === 0) {
      Atomics.store(this.#words, this.#ports[at + DONE_AT], this.#ports[at + DONE]); // [D]
      this.#bells[port].ring(); // [W]
    }
  }

  /** Starts the port's round: the device publishes once a round, so the one before is done. */
  #open(port: number): void {
    const at = port * PORT_ENTRY;
    const prod = Atomics.load(this.#words, this.#ports[at + PROD_AT]); // [C]
    const posted = (prod - this.#ports[at + DONE]) | 0;
    if (posted === 0) return;
    this.#ports[at + DONE] = prod;
    this.#ports[at + LEFT] = posted;
    this.#ports[at + WAITING] = posted;
    this.#ports[at + NEXT] = this.#ports[at + SLOTS_AT];
    this.#turns.join(port);
  }
}
