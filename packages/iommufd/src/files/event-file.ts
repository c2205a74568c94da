// The event file: a vIOMMU's events out by read, as bytes. Nothing is written to it.
// @see Linux drivers/iommu/iommufd/eventq.c iommufd_veventq_fops_read(); this follows Linux 7.2
import { IommuError } from '@faultline/core/errors';
import type { UserMemory } from '../caller/index.ts';
import type { Machine } from '../machine/index.ts';
import { VEVENT_HEADER, VEVENTQ_FLAG_LOST_EVENTS } from '../uapi/index.ts';
import { EventQueue, type TakenEvent } from '../veventq/event-queue.ts';
import { MAX_EVENT_BYTES } from '../veventq/layout.ts';
import { POLLIN, POLLRDNORM } from './fault-file.ts';

/** An event without bytes of the file: for users of this language. */
export interface ViommuEvent {
  /** Events up to this number were lost; there is no payload. */
  readonly isLost: boolean;
  /** From 0 to 2^31 - 1 and again: what is missing in between was lost. */
  readonly sequence: number;
  /** Until the next event is taken from the same file. */
  readonly payload: Uint8Array;
}

/** One thread's end of an event file: the queue of one VEVENTQ object, which the open file holds. Any number of threads may read it. */
export class EventFile {
  readonly #machine: Machine;
  readonly #queue: EventQueue;
  readonly #bytes = new Uint8Array(VEVENT_HEADER.bytes + MAX_EVENT_BYTES);
  readonly #header = new DataView(this.#bytes.buffer);

  /** @param body VEVENTQ_BODY of the object. */
  constructor(machine: Machine, body: number) {
    this.#machine = machine;
    this.#queue = new EventQueue(machine, body);
  }

  /** Copies whole events out, oldest first, as many as fit. Never blocks. @returns bytes; 0: none waits.
   * @throws IommuError ESPIPE an offset; EINVAL less than a header, or the first event does not fit; EFAULT: what was not copied waits as before. */
  read(memory: UserMemory, address: bigint, count: number, offset: number = 0): number {
    if (offset !== 0) throw new IommuError('ESPIPE', 'read', 'offset', offset, 'an event file has no position');
    if (!(count >= VEVENT_HEADER.bytes))
      throw new IommuError('EINVAL', 'read', 'count', count, `must be at least ${VEVENT_HEADER.bytes}`);
    for (let done = 0; ; ) {
      const event = this.#queue.take();
      if (event === undefined) return done;
      const bytes = VEVENT_HEADER.bytes + this.#queue.bytesOf(event);
      const refusal =
        bytes > count - done
          ? new IommuError('EINVAL', 'read', 'count', count, `the first event has ${bytes} bytes`)
          : this.#copyOut(memory, address + BigInt(done), event, bytes);
      if (refusal !== undefined) {
        this.#queue.restore(event);
        if (done === 0) throw refusal;
        return done;
      }
      this.#queue.delivered(event);
      done += bytes;
    }
  }

  #copyOut(memory: UserMemory, address: bigint, event: TakenEvent, bytes: number): IommuError | undefined {
    this.#header.setUint32(VEVENT_HEADER.flags, event.record === 0 ? VEVENTQ_FLAG_LOST_EVENTS : 0, true);
    this.#header.setUint32(VEVENT_HEADER.sequence, event.sequence, true);
    if (event.record !== 0) this.#queue.copyPayload(event, this.#bytes.subarray(VEVENT_HEADER.bytes));
    // At once: of an event that cannot be copied whole, its header is not counted either.
    if (memory.write(address, this.#bytes.subarray(0, bytes))) return undefined;
    return new IommuError('EFAULT', 'read', 'buffer', address, 'cannot be written');
  }

  /** The oldest event, without bytes. @returns undefined: none waits. */
  next(): ViommuEvent | undefined {
    const event = this.#queue.take();
    if (event === undefined) return undefined;
    const isLost = event.record === 0;
    const payload = this.#bytes.subarray(0, this.#queue.bytesOf(event));
    if (!isLost) this.#queue.copyPayload(event, payload);
    this.#queue.delivered(event);
    return { isLost, sequence: event.sequence, payload };
  }

  /** POLLIN and POLLRDNORM while an event waits; it is never writable. */
  poll(): number {
    return this.#queue.isWaiting() ? POLLIN | POLLRDNORM : 0;
  }

  /** Sleeps until an event waits, or for so long; offline meanwhile. Returns early when the file is closed. */
  wait(timeoutMs: number): void {
    this.#machine.blocking(() => this.#queue.park(timeoutMs));
  }

  /** As {@link wait}, for event loops. */
  async waitAsync(timeoutMs: number): Promise<void> {
    await this.#queue.parkAsync(timeoutMs);
  }
}
