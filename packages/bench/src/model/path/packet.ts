/** Faults of one round of one device thread that travel together: one at grain 1. */
export class Packet {
  /** The device thread. */
  thread = 0;
  device = 0;
  /** Where its pages stand among the thread's pending ones. */
  first = 0;
  /** Faults. */
  count = 0;
  /** Groups that these are on the way to the handler and back: 1 where they were coalesced. */
  groups = 0;
  /** Its place on the device's list. */
  slot = 0;
  postedAt = 0;
  readAt = 0;
  queuedAt = 0;
  takenAt = 0;
  handledAt = 0;
  /** The handler that took it, from 0. */
  handler = 0;
}

/** Packets are used again: nothing is allocated while a simulation runs on. */
export class Packets {
  readonly #free: Packet[] = [];

  take(): Packet {
    return this.#free.pop() ?? new Packet();
  }
  free(packet: Packet): void {
    this.#free.push(packet);
  }
}
