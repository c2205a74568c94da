import { IommuError } from '@faultline/core/errors';
import { TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { ITAGS } from '../pcie/pri-port.layout.ts';
import type { PriPortSet } from '../pcie/pri-port-set.ts';
import { commandDevice, iotlbMaxPend, iotlbPasid } from './commands.ts';
import { AMD_STATS } from './layout.ts';
import { rangePageHi, rangePageLo, rangeSizeLg2 } from './page-range.ts';
import { INV_TIMEOUT_MS } from './registers.ts';
import { STAT_IOTLB_SENT, STAT_UNDELIVERED } from './stats.ts';

// Invalidations of devices' own caches that are under way, and what COMPLETION_WAIT waits for. A device's completion comes behind the
// page requests it had sent before: that is what a fence rests on. Everything here is the hardware's own.

const FREE = 0;
const SENT = 1;
/** Given up: the tag is not used again before its completion has come after all. */
const LOST = 2;

export const IOTLB_SENT = 0;
/** A port has as many under way as it may: try again once one is done. */
export const IOTLB_BUSY = 1;
/** No port has that device id: there is nobody whose cache could be stale. */
export const IOTLB_NOBODY = 2;

const NO_PORTS: readonly number[] = [];

export class IotlbTracker {
  readonly #words: Words;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #portsOf: Map<number, number[]> = new Map(); // by device id
  readonly #state: Uint8Array;
  readonly #since: Int32Array; // tick at which it was sent
  readonly #command: Int32Array; // byte address of the command, bits 31:0
  readonly #next: Uint8Array; // by port: tag to try first
  readonly #underWay: Uint8Array; // by port
  #total = 0;
  #timeoutTicks = 0; // 0: for ever
  #expired = 0; // where the last look for expired ones stopped

  constructor(words: Words, base: number, ports: PriPortSet) {
    this.#words = words;
    this.#stats = base + AMD_STATS;
    this.#ports = ports;
    for (let port = 0; port < ports.count; port++) {
      const list = this.#portsOf.get(ports.rid(port));
      if (list === undefined) this.#portsOf.set(ports.rid(port), [port]);
      else list.push(port);
    }
    this.#state = new Uint8Array(ports.count * ITAGS);
    this.#since = new Int32Array(ports.count * ITAGS);
    this.#command = new Int32Array(ports.count * ITAGS);
    this.#next = new Uint8Array(ports.count);
    this.#underWay = new Uint8Array(ports.count);
  }

  /** Invalidations without a completion. */
  get underWay(): number {
    return this.#total;
  }

  /** InvTimeOut. */
  setTimeout(code: number): void {
    this.#timeoutTicks = (INV_TIMEOUT_MS[code] ?? 0) * TICKS_PER_MS;
  }

  /** Sends the invalidation that the command at `at` asks for, to each port of the device: all of them, or none yet. */
  send(at: number, tick: number): number {
    const ports = this.#portsOf.get(commandDevice(this.#words, at)) ?? NO_PORTS;
    if (ports.length === 0) return IOTLB_NOBODY;
    const most = Math.min(iotlbMaxPend(this.#words, at) || ITAGS, ITAGS);
    for (let i = 0; i < ports.length; i++)
      if (this.#underWay[ports[i]] >= most || this.#freeTag(ports[i]) < 0) return IOTLB_BUSY;
    for (let i = 0; i < ports.length; i++) this.#sendTo(ports[i], at, tick);
    return IOTLB_SENT;
  }

  /** A device's completion. @returns false for one that no invalidation waits for. */
  complete(port: number, itag: number): boolean {
    const slot = port * ITAGS + (itag & (ITAGS - 1));
    const state = this.#state[slot];
    if (state === FREE) return false;
    this.#state[slot] = FREE;
    if (state === LOST) return false;
    this.#underWay[port]--;
    this.#total--;
    return true;
  }

  /** @returns slot of an invalidation whose time is over, which is given up with this; or -1. */
  expire(tick: number): number {
    if (this.#total === 0 || this.#timeoutTicks === 0) return -1;
    for (let looked = 0; looked < this.#state.length; looked++) {
      const slot = this.#expired;
      this.#expired = (slot + 1) % this.#state.length;
      if (this.#state[slot] !== SENT || ((tick - this.#since[slot]) | 0) < this.#timeoutTicks) continue;
      this.#state[slot] = LOST;
      this.#underWay[Math.floor(slot / ITAGS)]--;
      this.#total--;
      return slot;
    }
    return -1;
  }

  /** Device id of an expired slot. */
  deviceOf(slot: number): number {
    return this.#ports.rid(Math.floor(slot / ITAGS));
  }
  /** Byte address of the command, bits 31:0: the whole of it, as shared memory ends below 4 GiB. */
  commandOf(slot: number): number {
    return this.#command[slot];
  }

  #sendTo(port: number, at: number, tick: number): void {
    const tag = this.#freeTag(port);
    if (tag < 0) throw new IommuError('EBUSY', 'IotlbTracker.send', 'port', port, 'has no free tag');
    const slot = port * ITAGS + tag;
    const words = this.#words;
    const lg2 = rangeSizeLg2(words, at);
    this.#state[slot] = SENT;
    this.#since[slot] = tick;
    this.#command[slot] = at << 2;
    this.#next[port] = (tag + 1) % ITAGS;
    this.#underWay[port]++;
    this.#total++;
    words[this.#stats + STAT_IOTLB_SENT]++;
    const pageLo = rangePageLo(words, at, lg2);
    const taken = this.#ports.invalidate(port, tag, pageLo, rangePageHi(words, at, lg2), lg2, iotlbPasid(words, at));
    if (!taken) words[this.#stats + STAT_UNDELIVERED]++; // its ring is full: no completion will come, and the time runs
  }

  #freeTag(port: number): number {
    for (let i = 0; i < ITAGS; i++) {
      const tag = (this.#next[port] + i) % ITAGS;
      if (this.#state[port * ITAGS + tag] === FREE) return tag;
    }
    return -1;
  }
}
