import type { Words } from '@faultline/core/sync';
import { ITAGS, type PriPortSet } from '../pcie/index.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import { deviceTlbPageHi, deviceTlbPageLo, deviceTlbPasid, deviceTlbRid, deviceTlbSize } from './descriptor-codec.ts';

/** No invalidation has timed out. */
export const NO_RID = -1;

// Invalidations that are under way to devices, at most as many as there are tags. A function's ports each cache for themselves: every one of
// them is asked, under the same tag, and the invalidation is over when the last has completed.

export class DeviceTlbs {
  readonly #words: Words;
  readonly #ports: PriPortSet;
  readonly #tick: PumpTick;
  readonly #timeoutTicks: number;
  readonly #portsOf: Map<number, number[]> = new Map();
  readonly #owed: Int32Array; // by port: tags whose completion it owes
  readonly #rids: Int32Array = new Int32Array(ITAGS); // by tag
  readonly #missing: Int32Array = new Int32Array(ITAGS); // by tag: completions to come
  readonly #deadlines: Float64Array = new Float64Array(ITAGS); // by tag
  #busy = 0; // tags in use
  #turn = 0; // tag to try next: a tag rests as long as possible, as a late completion could be taken for the next one's

  constructor(words: Words, ports: PriPortSet, tick: PumpTick, timeoutTicks: number) {
    this.#words = words;
    this.#ports = ports;
    this.#tick = tick;
    this.#timeoutTicks = timeoutTicks;
    this.#owed = new Int32Array(ports.count);
    for (let port = 0; port < ports.count; port++) {
      const siblings = this.#portsOf.get(ports.rid(port));
      if (siblings === undefined) this.#portsOf.set(ports.rid(port), [port]);
      else siblings.push(port);
    }
  }

  /** Tags in use, one bit each: what a wait descriptor waits for. */
  get busy(): number {
    return this.#busy;
  }

  get full(): boolean {
    return this.#busy === -1;
  }

  /** Sends the invalidation that the descriptor at `at` asks for. There is a free tag. A requester that is not there never completes. */
  send(at: number): void {
    while (((this.#busy >>> this.#turn) & 1) === 1) this.#turn = (this.#turn + 1) % ITAGS;
    const tag = this.#turn;
    this.#turn = (this.#turn + 1) % ITAGS;
    const words = this.#words;
    const rid = deviceTlbRid(words, at);
    const size = deviceTlbSize(words, at);
    const lo = deviceTlbPageLo(words, at, size);
    const hi = deviceTlbPageHi(words, at, size);
    const pasid = deviceTlbPasid(words, at);
    this.#busy |= 1 << tag;
    this.#rids[tag] = rid;
    this.#deadlines[tag] = this.#tick.now() + this.#timeoutTicks;
    const ports = this.#portsOf.get(rid);
    this.#missing[tag] = ports === undefined ? 1 : ports.length;
    if (ports === undefined) return;
    for (let i = 0; i < ports.length; i++)
      if (this.#ports.invalidate(ports[i], tag, lo, hi, size, pasid)) this.#owed[ports[i]] |= 1 << tag;
  }

  /** A completion came in from a port. @returns false when none was expected: an invalidation completion error. */
  complete(port: number, tag: number): boolean {
    if (tag < 0 || tag >= ITAGS || ((this.#owed[port] >>> tag) & 1) === 0) return false;
    this.#owed[port] &= ~(1 << tag);
    if (--this.#missing[tag] === 0) this.#busy &= ~(1 << tag);
    return true;
  }

  /** Whether {@link expire} would find one. */
  late(): boolean {
    for (let tag = 0; tag < ITAGS; tag++)
      if (((this.#busy >>> tag) & 1) === 1 && this.#tick.now() >= this.#deadlines[tag]) return true;
    return false;
  }

  /** Gives up what took too long. @returns the requester of one such invalidation, or NO_RID. */
  expire(): number {
    if (this.#busy === 0) return NO_RID;
    let late = NO_RID;
    for (let tag = 0; tag < ITAGS; tag++) {
      if (((this.#busy >>> tag) & 1) === 0 || this.#tick.now() < this.#deadlines[tag]) continue;
      this.#busy &= ~(1 << tag);
      late = this.#rids[tag];
      for (let port = 0; port < this.#owed.length; port++) this.#owed[port] &= ~(1 << tag);
    }
    return late;
  }
}
