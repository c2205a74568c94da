// The fault file: groups of page requests out by read, answers in by write, as bytes.
// @see Linux drivers/iommu/iommufd/eventq.c iommufd_fault_fops_read(), _write(); this follows Linux 7.2
import { IommuError } from '@faultline/core/errors';
import {
  FAULT_DEVICE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
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
import { Delivery, FaultQueue, refusal } from '../fault-queue/index.ts';
import { GONE } from '../fault-queue/layout.ts';
import type { Machine } from '../machine/index.ts';
import { PAGE_RESPONSE, PGFAULT } from '../uapi/index.ts';

/** Records that are composed before they are copied out at once. */
const BATCH = 64;
const WORDS = PGFAULT.bytes / 4;
const FAILED = -1;
const RECORD_BYTES = PGFAULT.bytes;
const ANSWER_BYTES = PAGE_RESPONSE.bytes;
// Words of a record.
const FLAGS = PGFAULT.flags / 4;
const DEV_ID = PGFAULT.devId / 4;
const PASID = PGFAULT.pasid / 4;
const GRPID = PGFAULT.grpid / 4;
const PERM = PGFAULT.perm / 4;
const RESERVED = PGFAULT.reserved / 4;
const ADDR = PGFAULT.addr / 4;
const LENGTH = PGFAULT.length / 4;
const COOKIE = PGFAULT.cookie / 4;

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
  readonly #groups = new Int32Array(BATCH);
  readonly #cookies = new Int32Array(BATCH);
  readonly #records = new Int32Array(BATCH * WORDS);
  readonly #bytes = prefixes(this.#records, RECORD_BYTES);
  readonly #response = new Int32Array(BATCH * (ANSWER_BYTES / 4));
  readonly #responseBytes = prefixes(this.#response, ANSWER_BYTES);

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
   * not fit, a count below 0; ENOMEM; EFAULT: the groups that were not copied whole wait as before. */
  read(memory: UserMemory, address: bigint, count: number, offset: number = 0): number {
    if (offset !== 0) throw new IommuError('ESPIPE', 'read', 'offset', offset, 'a fault file has no position');
    if (count % RECORD_BYTES !== 0)
      throw new IommuError('ESPIPE', 'read', 'count', count, `must be a multiple of ${RECORD_BYTES}`);
    checkCount('read', count);
    this.#delivery.lock();
    try {
      return this.#readLocked(memory, address, count / RECORD_BYTES) * RECORD_BYTES;
    } finally {
      this.#delivery.unlock();
    }
  }

  /** @param room records that fit. @returns records copied. */
  #readLocked(memory: UserMemory, address: bigint, room: number): number {
    let done = 0;
    for (;;) {
      const left = room - done;
      const records = this.#gather(left);
      if (this.#count === 0) {
        if (done === 0 && this.#refused !== 0) throw this.#refusal(room);
        return done;
      }
      const at = done === 0 ? address : address + BigInt(done * RECORD_BYTES);
      const whole = this.#isLarge ? this.#copyLarge(memory, at, records) : this.#copy(memory, at, records);
      done += whole;
      if (whole === records) continue;
      if (done === 0) throw new IommuError('EFAULT', 'read', 'buffer', address, 'cannot be written');
      return done;
    }
  }

  #refusal(room: number): IommuError {
    if (this.#refused === FAILED) return new IommuError('ENOMEM', 'read', 'cookie', 0, 'made to fail');
    const why = `the first group has ${this.#refused} records`;
    return new IommuError('EINVAL', 'read', 'count', room * RECORD_BYTES, why);
  }

  // Groups that are copied at once: whole ones, as many as BATCH records hold, or one that is larger than that.
  #count = 0;
  #isLarge = false;
  /** Some between them are gone. */
  #isGapped = false;
  /** Records of the group that has no room, or FAILED; 0: nothing was refused. */
  #refused = 0;

  /** Reserves cookies for the oldest groups, in order, and composes their records. They wait in their places. @returns records. */
  #gather(room: number): number {
    const most = Math.min(room, BATCH);
    let records = 0;
    this.#count = 0;
    this.#isLarge = false;
    this.#isGapped = false;
    this.#refused = 0;
    for (let ahead = 0; records < most || records === 0; ahead++) {
      const group = this.#delivery.at(ahead);
      if (group === 0) break;
      if (group === GONE) {
        this.#isGapped = true;
        continue;
      }
      const size = this.#words[this.#at(group) + GROUP_COUNT];
      if (size > most - records && this.#count > 0) break;
      this.#refused = size > room ? size : this.#machine.fail.fails('cookie') ? FAILED : 0;
      if (this.#refused !== 0) break;
      const cookie = this.#delivery.reserve(group);
      this.#groups[this.#count] = group;
      this.#cookies[this.#count++] = cookie;
      this.#isLarge = size > BATCH;
      if (this.#isLarge) return size;
      this.#composeGroup(records, group, cookie);
      records += size;
    }
    return records;
  }

  /** @returns records of groups that were copied whole, and are delivered now. */
  #copy(memory: UserMemory, address: bigint, records: number): number {
    if (memory.write(address, this.#bytes[records])) {
      this.#deliver(this.#count);
      return records;
    }
    // A group at a time, up to the one that cannot be copied.
    let done = 0;
    let whole = 0;
    for (; this.#count > 1 && whole < this.#count; whole++) {
      const size = this.#words[this.#at(this.#groups[whole]) + GROUP_COUNT];
      if (
        !memory.write(
          address + BigInt(done * RECORD_BYTES),
          this.#bytes[BATCH].subarray(done * RECORD_BYTES, (done + size) * RECORD_BYTES),
        )
      )
        break;
      done += size;
    }
    this.#deliver(whole);
    return done;
  }

  /** The same for a group that is composed in parts. */
  #copyLarge(memory: UserMemory, address: bigint, records: number): number {
    const groupAt = this.#at(this.#groups[0]);
    let member = this.#words[groupAt + GROUP_FAULTS];
    for (let done = 0; done < records; ) {
      const batch = Math.min(records - done, BATCH);
      member = this.#composeMembers(0, batch, groupAt, member, this.#cookies[0]);
      if (!memory.write(address + BigInt(done * RECORD_BYTES), this.#bytes[batch])) {
        this.#deliver(0);
        return 0;
      }
      done += batch;
    }
    this.#deliver(1);
    return records;
  }

  /** Delivers the first groups of those that were gathered; the cookies of the others were never good. */
  #deliver(count: number): void {
    for (let i = 0; i < count; i++) {
      if (this.#isGapped) this.#delivery.head(); // past those that are gone
      this.#delivery.deliver(this.#groups[i], this.#cookies[i]);
    }
    for (let i = count; i < this.#count; i++) this.#delivery.abort(this.#cookies[i]);
  }

  #composeGroup(to: number, group: number, cookie: number): void {
    const groupAt = this.#at(group);
    this.#composeMembers(to, this.#words[groupAt + GROUP_COUNT], groupAt, this.#words[groupAt + GROUP_FAULTS], cookie);
  }

  /** @param member the first, 0: the group itself, its last request. @returns the next. */
  #composeMembers(to: number, count: number, groupAt: number, member: number, cookie: number): number {
    let next = member;
    for (let i = 0; i < count; i++) {
      const at = next === 0 ? groupAt : this.#at(next);
      this.#compose((to + i) * WORDS, at, cookie);
      if (next !== 0) next = this.#words[at + REQUEST_CHAIN];
    }
    return next;
  }

  /** One record of the user's from one of the core's. */
  #compose(to: number, at: number, cookie: number): void {
    const words = this.#words;
    const records = this.#records;
    const low = words[at + FAULT_PAGE_LO];
    const high = words[at + FAULT_PAGE_HI];
    records[to + FLAGS] = userFaultFlags(words[at + FAULT_FLAGS]);
    records[to + DEV_ID] = this.#machine.deviceIdOf(words[at + FAULT_DEVICE]);
    records[to + PASID] = words[at + FAULT_PASID];
    records[to + GRPID] = words[at + FAULT_GRPID];
    records[to + PERM] = words[at + FAULT_PERM];
    records[to + RESERVED] = 0;
    records[to + ADDR] = (low << 12) | (high >>> FAULT_OFFSET_SHIFT);
    records[to + ADDR + 1] = (high << 12) | (low >>> 20);
    records[to + LENGTH] = 0;
    records[to + COOKIE] = cookie;
  }

  /** Takes answers in, in order; stops at the first that is refused. @returns bytes of those before it.
   * @throws IommuError ESPIPE an offset, or a count that is no multiple of a response; for the first one EFAULT unreadable, EINVAL a code other
   * than Success and Invalid, or a cookie that names nothing. */
  write(memory: UserMemory, address: bigint, count: number, offset: number = 0): number {
    if (offset !== 0) throw new IommuError('ESPIPE', 'write', 'offset', offset, 'a fault file has no position');
    if (count % ANSWER_BYTES !== 0)
      throw new IommuError('ESPIPE', 'write', 'count', count, `must be a multiple of ${ANSWER_BYTES}`);
    checkCount('write', count);
    return this.#machine.answering(() => this.#answerAll(memory, address, count / ANSWER_BYTES)) * ANSWER_BYTES;
  }

  #answerAll(memory: UserMemory, address: bigint, count: number): number {
    for (let done = 0; done < count; ) {
      const batch = this.#copyResponses(memory, address, done, Math.min(count - done, BATCH));
      if (batch === 0) {
        if (done > 0) return done;
        throw new IommuError('EFAULT', 'write', 'buffer', address, 'cannot be read');
      }
      const answered = this.queue.respondAll(this.#response, batch);
      done += answered;
      if (answered === batch) continue;
      if (done > 0) return done;
      throw refusal(this.#response[0], this.#response[1]);
    }
    return count;
  }

  /** @returns how many could be read: all, or those before the first that cannot. */
  #copyResponses(memory: UserMemory, address: bigint, done: number, batch: number): number {
    const from = done === 0 ? address : address + BigInt(done * ANSWER_BYTES);
    if (memory.read(from, this.#responseBytes[batch])) return batch;
    let whole = 0;
    for (; whole < batch; whole++) {
      const at = whole * ANSWER_BYTES;
      const one = this.#responseBytes[BATCH].subarray(at, at + ANSWER_BYTES);
      if (!memory.read(from + BigInt(at), one)) break;
    }
    return whole;
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

/** What the kernel says of a size beyond the largest, before it asks the file. @throws IommuError EINVAL */
function checkCount(call: string, count: number): void {
  if (count < 0) throw new IommuError('EINVAL', call, 'count', count, 'must not be below 0');
}

/** The first 0, 1, 2, … records of a batch, as bytes: views cost more than what is copied through them. */
function prefixes(records: Int32Array<ArrayBuffer>, bytes: number): readonly Uint8Array[] {
  return Array.from({ length: BATCH + 1 }, (_, count) => new Uint8Array(records.buffer, 0, count * bytes));
}
