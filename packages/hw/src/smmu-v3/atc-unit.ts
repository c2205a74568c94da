import type { Words } from '@faultline/core/sync';
import { INVALIDATE_ALL, ITAGS, type PriPortSet } from '../pcie/index.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import { ATC_SIZE_ALL, atcGlobal, atcSize, commandStreamId, commandSubstream } from './commands.ts';
import { SMMU_STATS, STAT_ATC_INVALIDATIONS, STAT_ATC_TIMEOUTS } from './layout.ts';

// Invalidations that are on their way to endpoints (CMD_ATC_INV), by port and ITAG. Each belongs to the command queue it came from: a
// CMD_SYNC of that queue waits for it, or fails when it took too long. A virtual queue that goes leaves behind what is under way, and what it
// was never told: that becomes the host's, whose next CMD_SYNC, in whichever queue, waits for it, or fails, so that the next guest with that
// queue is not told of it. Linux follows with a CMD_SYNC of the host's to that end. Everything here is the hardware's own.

const FREE = -1;
const NO_ITAG = -1;
const DEAD = -2; // all ITAGs timed out and were never answered
const LATE = 1;

export class AtcUnit {
  readonly #words: Words;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #byRid: Map<number, number[]> = new Map();
  readonly #tick: PumpTick;
  readonly #timeout: number;
  readonly #queueOf: Int32Array; // by port and ITAG: the command queue, or FREE
  readonly #deadline: Int32Array; // tick
  readonly #late: Uint8Array; // 1: timed out; its ITAG is lost until the endpoint answers after all
  readonly #pending: Int32Array; // by command queue, virtual ones after the host's; the last is that of what was left behind
  readonly #failed: Int32Array; // by command queue: timed out since its last CMD_SYNC
  readonly #hostQueues: number;
  readonly #leftBehind: number;
  #live = 0;

  /** @param queues of the host, @param virtual and of guests; @param timeout ticks that an endpoint has for a completion. */
  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    queues: number,
    virtual: number,
    tick: PumpTick,
    timeout: number,
  ) {
    this.#words = words;
    this.#stats = base + SMMU_STATS;
    this.#ports = ports;
    this.#tick = tick;
    this.#timeout = timeout;
    this.#queueOf = new Int32Array(ports.count * ITAGS).fill(FREE);
    this.#deadline = new Int32Array(ports.count * ITAGS);
    this.#late = new Uint8Array(ports.count * ITAGS);
    this.#hostQueues = queues;
    this.#leftBehind = queues + virtual;
    this.#pending = new Int32Array(queues + virtual + 1);
    this.#failed = new Int32Array(queues + virtual + 1);
    for (let port = 0; port < ports.count; port++) {
      const rid = ports.rid(port);
      this.#byRid.set(rid, [...(this.#byRid.get(rid) ?? []), port]);
    }
  }

  /** Sends the CMD_ATC_INV at `at` of `record` to every port of the function: each caches for itself. A StreamID that is no function's is ignored.
   * @returns false when a port has no ITAG left: nothing was sent, the command has to wait. A port that lets all its ITAGs time out is
   * not waited for: the invalidation has failed at once. */
  send(queue: number, record: Int32Array, at: number): boolean {
    const ports = this.#byRid.get(commandStreamId(record, at));
    if (ports === undefined) return true;
    if (this.#live !== 0) this.#expire();
    for (let i = 0; i < ports.length; i++) if (this.#freeItag(ports[i]) === NO_ITAG) return false;
    for (let i = 0; i < ports.length; i++) this.#sendTo(queue, ports[i], record, at);
    return true;
  }

  /** An endpoint completed an invalidation, perhaps long after it timed out, perhaps one that nobody asked for. */
  complete(port: number, itag: number): void {
    if (itag >= ITAGS) return;
    const at = port * ITAGS + itag;
    const queue = this.#queueOf[at];
    if (queue === FREE) return;
    this.#queueOf[at] = FREE;
    if (this.#late[at] === LATE) this.#late[at] = 0;
    else this.#settle(queue);
  }

  /** Whether a CMD_SYNC of the queue has to wait. */
  isWaiting(queue: number): boolean {
    if (this.#live !== 0) this.#expire();
    return this.#pending[queue] !== 0 || (queue < this.#hostQueues && this.#pending[this.#leftBehind] !== 0);
  }

  /** Whether invalidations of the queue timed out since the last CMD_SYNC. Says so once. */
  takeFailure(queue: number): boolean {
    let failed = this.#failed[queue];
    this.#failed[queue] = 0;
    if (queue < this.#hostQueues) {
      failed += this.#failed[this.#leftBehind];
      this.#failed[this.#leftBehind] = 0;
    }
    return failed !== 0;
  }

  /** The virtual queue is gone: what it was waiting for, and was not told of, is the host's. */
  leaveBehind(queue: number): void {
    const heir = this.#leftBehind;
    for (let at = 0; at < this.#queueOf.length; at++) if (this.#queueOf[at] === queue) this.#queueOf[at] = heir;
    this.#pending[heir] += this.#pending[queue];
    this.#failed[heir] += this.#failed[queue];
    this.#pending[queue] = 0;
    this.#failed[queue] = 0;
  }

  #sendTo(queue: number, port: number, record: Int32Array, at: number): void {
    const words = this.#words;
    const size = atcSize(record, at);
    const itag = this.#freeItag(port);
    if (itag === DEAD) {
      this.#failed[queue]++;
      words[this.#stats + STAT_ATC_TIMEOUTS]++;
      return;
    }
    const slot = port * ITAGS + itag;
    this.#queueOf[slot] = queue;
    this.#deadline[slot] = (this.#tick.now() + this.#timeout) | 0;
    this.#pending[queue]++;
    this.#live++;
    words[this.#stats + STAT_ATC_INVALIDATIONS]++;
    // A Global invalidation reaches entries of every SubstreamID: one without a SubstreamID does all of that.
    const substreamId = atcGlobal(record, at) ? -1 : commandSubstream(record, at);
    const low = (record[at + 2] >>> 12) | (record[at + 3] << 20);
    const high = record[at + 3] >>> 12;
    if (size === ATC_SIZE_ALL) this.#ports.invalidate(port, itag, 0, 0, INVALIDATE_ALL, substreamId);
    else {
      const pageLo = size >= 32 ? 0 : low & (-1 << size);
      const pageHi = size > 32 ? high & (-1 << (size - 32)) : high;
      this.#ports.invalidate(port, itag, pageLo, pageHi, size, substreamId);
    }
  }

  #freeItag(port: number): number {
    let found = DEAD;
    for (let itag = 0; itag < ITAGS; itag++) {
      if (this.#queueOf[port * ITAGS + itag] === FREE) return itag;
      if (this.#late[port * ITAGS + itag] !== LATE) found = NO_ITAG;
    }
    return found;
  }

  #settle(queue: number): void {
    this.#pending[queue]--;
    this.#live--;
  }

  #expire(): void {
    const now = this.#tick.now();
    for (let at = 0; at < this.#queueOf.length; at++) {
      const queue = this.#queueOf[at];
      if (queue === FREE || this.#late[at] === LATE || ((now - this.#deadline[at]) | 0) < 0) continue;
      this.#late[at] = LATE;
      this.#failed[queue]++;
      this.#words[this.#stats + STAT_ATC_TIMEOUTS]++;
      this.#settle(queue);
    }
  }
}
