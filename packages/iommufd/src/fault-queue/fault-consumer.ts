import { checkInteger } from '@faultline/core/errors';
import { FAULT_DEVICE, type GroupSink, REQUEST_WORDS, RESPONSE_INVALID } from '@faultline/core/iopf';
import { SpmcConsumer, SpmcProducer } from '@faultline/core/ring';
import type { Words } from '@faultline/core/sync';
import { CookieTable } from './cookie-table.ts';
import type { AnswerParts } from './fault-queue.ts';
import { checkFaultQueue, QUEUE_RING } from './layout.ts';

/** The core's end of a fault queue: the sink of groups whose domain has HANDLER_CONSUMER. One reporting thread owns it. */
export class FaultConsumer implements GroupSink {
  readonly #words: Words;
  readonly #ring: SpmcProducer;
  readonly #waiting: SpmcConsumer;
  readonly #cookies: CookieTable;
  readonly #one: Int32Array = new Int32Array(1);

  /** @throws IommuError EINVAL where no fault queue was laid out. */
  constructor(words: Words, base: number) {
    checkFaultQueue('FaultConsumer', words, base);
    this.#words = words;
    this.#ring = new SpmcProducer(words, base + QUEUE_RING);
    this.#waiting = new SpmcConsumer(words, base + QUEUE_RING);
    this.#cookies = new CookieTable(words, base);
  }

  /** @returns false when as many groups wait for a reader as the queue has entries. */
  queue(group: number): boolean {
    return this.#ring.push(group);
  }

  publish(): void {
    this.#ring.publish();
  }

  /** Takes a device's groups (0: every device's) out of the queue and out of the hands of its readers, and answers Invalid to those
   * that were not answered yet: PRI-off need not wait for user space, which may be gone. Answers that come later are refused, as
   * their cookies name nothing any more. A group that a reader is taking at this very moment stays with it, and is delivered.
   * Context: between two batches of the reporting thread, `parts` being its own; nothing is reported for the device any more.
   * @returns groups taken back. @throws IommuError EINVAL no such device. @see Linux iommufd_auto_response_faults() */
  takeBack(parts: AnswerParts, device: number): number {
    const { system, path, ops } = parts;
    checkInteger('FaultConsumer.takeBack', 'device', device, 0, system.config.devices);
    const objects = system.requests.objects;
    const isMeant = (group: number): boolean =>
      device === 0 || this.#words[objects + group * REQUEST_WORDS + FAULT_DEVICE] === device;
    let taken = 0;
    const end = (group: number): void => {
      path.respondGroup(group, RESPONSE_INVALID);
      ops.flushResponses();
      path.freeGroup(group);
      taken++;
    };
    // The others go round once, in their order: what is pushed shows after the publish, and has the room that it left.
    while (this.#waiting.take(this.#one, 1) !== 0) {
      const group = this.#one[0];
      if (isMeant(group)) end(group);
      else this.#ring.push(group);
    }
    this.#ring.publish();
    for (let slot = 1; slot <= this.#cookies.slots; slot++) {
      const held = this.#cookies.heldAt(slot);
      const group = CookieTable.groupOf(held);
      // Read before it is ours: redeeming finds `held` unchanged only if the group was in place all the time.
      if (held !== 0 && isMeant(group) && this.#cookies.redeemSlot(slot, held)) end(group);
    }
    path.endBatch();
    return taken;
  }
}
