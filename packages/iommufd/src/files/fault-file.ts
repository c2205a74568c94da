// The fault file: groups of page requests out by read, answers in by write, as bytes.
// @see Linux drivers/iommu/iommufd/eventq.c iommufd_fault_fops_read(), _write(); this follows Linux 7.2
import { IommuError } from '@faultline/core/errors';
import {
  FAULT_DEVICE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  GROUP_COUNT,
  GROUP_FAULTS,
  REQUEST_CHAIN,
  REQUEST_WORDS,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import type { UserMemory } from '../caller/index.ts';
import { userFaultFlags } from '../driver/index.ts';
import { Delivery, FaultQueue } from '../fault-queue/index.ts';
import type { Machine } from '../machine/index.ts';
import { PAGE_RESPONSE, PGFAULT } from '../uapi/index.ts';

/** Records that are composed before they are copied out at once. */
const BATCH = 64;
const WORDS = PGFAULT.bytes / 4;

export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLRDNORM = 0x40;

/** One thread's end of a fault file: the queue of one FAULT object. Any number of threads may read and write the same. */
export class FaultFile {
  /** The same queue without bytes: for users of this language. */
  readonly queue: FaultQueue;
  readonly #machine: Machine;
  readonly #words: Words;
  readonly #delivery: Delivery;
  readonly #records = new Int32Array(BATCH * WORDS);
  readonly #bytes = new Uint8Array(this.#records.buffer);
  readonly #response = new Int32Array(BATCH * (PAGE_RESPONSE.bytes / 4));
  readonly #responseBytes = new Uint8Array(this.#response.buffer);

  /** @param number of the fault queue. */
  constructor(machine: Machine, number: number) {
    const base = machine.faultQueueAt(number);
    this.#machine = machine;
    this.#words = machine.words;
    this.#delivery = new Delivery(machine.system, base);
    this.queue = new FaultQueue({ system: machine.system, path: machine.path, ops: machine.ops, base });
  }

  /** Copies whole groups out, oldest first, as many as fit. Never blocks for faults; waits for another reader's copy.
   * @returns bytes; 0: none waits. @throws IommuError ESPIPE an offset, or a count that is no multiple of a record; EINVAL the first group does
   * not fit; ENOMEM; EFAULT: the groups that were not copied whole wait as before. */
  read(memory: UserMemory, address: bigint, count: number, offset: number = 0): number {
    if (offset !== 0) throw new IommuError('ESPIPE', 'read', 'offset', offset, 'a fault file has no position');
    if (count % PGFAULT.bytes !== 0)
      throw new IommuError('ESPIPE', 'read', 'count', count, `must be a multiple of ${PGFAULT.bytes}`);
    this.#delivery.lock();
    try {
      return this.#readLocked(memory, address, count / PGFAULT.bytes) * PGFAULT.bytes;
    } finally {
      this.#delivery.unlock();
    }
  }

  /** @param room records that fit. @returns records copied. */
  #readLocked(memory: UserMemory, address: bigint, room: number): number {
    let done = 0;
    for (;;) {
      const group = this.#delivery.head();
      if (group === 0) return done;
      const records = this.#words[this.#at(group) + GROUP_COUNT];
      if (records > room - done) {
        if (done === 0)
          throw new IommuError(
            'EINVAL',
            'read',
            'count',
            room * PGFAULT.bytes,
            `the first group has ${records} records`,
          );
        return done;
      }
      if (this.#machine.fail.fails('cookie')) {
        if (done === 0) throw new IommuError('ENOMEM', 'read', 'cookie', 0, 'made to fail');
        return done;
      }
      const cookie = this.#delivery.reserve(group);
      if (!this.#copyGroup(memory, address + BigInt(done * PGFAULT.bytes), group, records, cookie)) {
        this.#delivery.abort(cookie);
        if (done === 0) throw new IommuError('EFAULT', 'read', 'buffer', address, 'cannot be written');
        return done;
      }
      this.#delivery.deliver(group, cookie);
      done += records;
    }
  }

  #copyGroup(memory: UserMemory, address: bigint, group: number, records: number, cookie: number): boolean {
    const words = this.#words;
    const groupAt = this.#at(group);
    let member = words[groupAt + GROUP_FAULTS];
    for (let done = 0; done < records; ) {
      const batch = Math.min(records - done, BATCH);
      for (let i = 0; i < batch; i++) {
        const at = member === 0 ? groupAt : this.#at(member);
        this.#compose(i * WORDS, at, cookie);
        if (member !== 0) member = words[at + REQUEST_CHAIN];
      }
      const bytes = this.#bytes.subarray(0, batch * PGFAULT.bytes);
      if (!memory.write(address + BigInt(done * PGFAULT.bytes), bytes)) return false;
      done += batch;
    }
    return true;
  }

  /** One record of the user's from one of the core's. */
  #compose(to: number, at: number, cookie: number): void {
    const words = this.#words;
    const records = this.#records;
    const low = words[at + FAULT_PAGE_LO];
    records[to + PGFAULT.flags / 4] = userFaultFlags(words[at + FAULT_FLAGS]);
    records[to + PGFAULT.devId / 4] = this.#machine.deviceIdOf(words[at + FAULT_DEVICE]);
    records[to + PGFAULT.pasid / 4] = words[at + FAULT_PASID];
    records[to + PGFAULT.grpid / 4] = words[at + FAULT_GRPID];
    records[to + PGFAULT.perm / 4] = words[at + FAULT_PERM];
    records[to + PGFAULT.reserved / 4] = 0;
    records[to + PGFAULT.addr / 4] = low << 12;
    records[to + PGFAULT.addr / 4 + 1] = (words[at + FAULT_PAGE_HI] << 12) | (low >>> 20);
    records[to + PGFAULT.length / 4] = 0;
    records[to + PGFAULT.cookie / 4] = cookie;
  }

  /** Takes answers in, in order; stops at the first that is refused. @returns bytes of those before it.
   * @throws IommuError ESPIPE an offset, or a count that is no multiple of a response; for the first one EFAULT unreadable, EINVAL a code other
   * than Success and Invalid, or a cookie that names nothing. */
  write(memory: UserMemory, address: bigint, count: number, offset: number = 0): number {
    if (offset !== 0) throw new IommuError('ESPIPE', 'write', 'offset', offset, 'a fault file has no position');
    if (count % PAGE_RESPONSE.bytes !== 0)
      throw new IommuError('ESPIPE', 'write', 'count', count, `must be a multiple of ${PAGE_RESPONSE.bytes}`);
    return (
      this.#machine.answering(() => this.#answerAll(memory, address, count / PAGE_RESPONSE.bytes)) * PAGE_RESPONSE.bytes
    );
  }

  #answerAll(memory: UserMemory, address: bigint, count: number): number {
    for (let done = 0; done < count; ) {
      const batch = this.#copyResponses(memory, address, done, Math.min(count - done, BATCH));
      if (batch === 0) {
        if (done > 0) return done;
        throw new IommuError('EFAULT', 'write', 'buffer', address, 'cannot be read');
      }
      for (let i = 0; i < batch; i++, done++) {
        const refusal = this.#answer(this.#response[2 * i], this.#response[2 * i + 1] >>> 0);
        if (refusal === undefined) continue;
        if (done > 0) return done;
        throw refusal;
      }
    }
    return count;
  }

  /** @returns how many could be read: all, or those before the first that cannot. */
  #copyResponses(memory: UserMemory, address: bigint, done: number, batch: number): number {
    const from = address + BigInt(done * PAGE_RESPONSE.bytes);
    if (memory.read(from, this.#responseBytes.subarray(0, batch * PAGE_RESPONSE.bytes))) return batch;
    let whole = 0;
    for (; whole < batch; whole++) {
      const at = whole * PAGE_RESPONSE.bytes;
      if (!memory.read(from + BigInt(at), this.#responseBytes.subarray(at, at + PAGE_RESPONSE.bytes))) break;
    }
    return whole;
  }

  #answer(cookie: number, code: number): IommuError | undefined {
    try {
      this.queue.respond(cookie, code);
      return undefined;
    } catch (error) {
      if (error instanceof IommuError) return error;
      throw error;
    }
  }

  /** POLLOUT always; POLLIN and POLLRDNORM while a group waits. */
  poll(): number {
    return POLLOUT | (this.#delivery.isWaiting() ? POLLIN | POLLRDNORM : 0);
  }

  /** Sleeps until a group waits, or for so long; offline meanwhile. May return early: as when the file is closed. */
  wait(timeoutMs: number): void {
    this.#machine.blocking(() => this.#delivery.park(timeoutMs));
  }

  /** As {@link wait}, for event loops. */
  async waitAsync(timeoutMs: number): Promise<void> {
    await this.#delivery.parkAsync(timeoutMs);
  }

  #at(group: number): number {
    return this.#machine.system.requests.objects + group * REQUEST_WORDS;
  }
}
