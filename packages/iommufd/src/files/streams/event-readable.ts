import { Readable } from 'node:stream';
import type { Machine } from '../../machine/index.ts';
import { VEVENT_HEADER, VEVENTQ_FLAG_LOST_EVENTS } from '../../uapi/index.ts';
import type { EventQueue, TakenEvent } from '../../veventq/index.ts';
import type { OpenEventFile } from './event-file.ts';
import { fill } from './fill.ts';

const READ_AHEAD_BYTES = 1024;

export interface EventReadableOptions {
  /** Destroys the stream, with AbortError. */
  readonly signal?: AbortSignal;
  /** Bytes that are read ahead of the consumer. Default 1024. */
  readonly highWaterMark?: number;
}

interface Pushed {
  readonly event: TakenEvent;
  /** Its last byte is before this one of all that was pushed. */
  readonly end: number;
}

/** An event file as bytes, a chunk an event. Ends when the file is closed. What is read ahead is not delivered yet: it counts in the queue's
 * depth, and destroying the stream puts back what the consumer has not had whole. */
export class EventReadable extends Readable {
  readonly #file: OpenEventFile;
  readonly #queue: EventQueue;
  readonly #machine: Machine;
  #pushed = 0;
  #events: Pushed[] = [];

  constructor(
    file: OpenEventFile,
    queue: EventQueue,
    machine: Machine,
    { signal, highWaterMark = READ_AHEAD_BYTES }: EventReadableOptions,
  ) {
    super({ highWaterMark, ...(signal === undefined ? {} : { signal }) });
    this.#file = file;
    this.#queue = queue;
    this.#machine = machine;
  }

  override _read(): void {
    this.#settle();
    void fill(this, this.#file, () => this.#machine.blocking(() => this.#take()));
  }

  #take(): Uint8Array | undefined {
    const event = this.#queue.take();
    if (event === undefined) return undefined;
    const chunk = new Uint8Array(VEVENT_HEADER.bytes + this.#queue.bytesOf(event));
    const header = new DataView(chunk.buffer);
    header.setUint32(VEVENT_HEADER.flags, event.record === 0 ? VEVENTQ_FLAG_LOST_EVENTS : 0, true);
    header.setUint32(VEVENT_HEADER.sequence, event.sequence, true);
    if (event.record !== 0) this.#queue.copyPayload(event, chunk.subarray(VEVENT_HEADER.bytes));
    this.#pushed += chunk.length;
    this.#events.push({ event, end: this.#pushed });
    return chunk;
  }

  /** Ends the events that the consumer has. */
  #settle(): void {
    const handedOut = this.#pushed - this.readableLength;
    while (this.#events.length > 0 && this.#events[0].end <= handedOut) {
      const { event } = this.#events.shift() as Pushed;
      if (this.#file.use(() => this.#end(event)) === undefined) this.#drop(event);
    }
  }

  #end(event: TakenEvent): true {
    this.#machine.blocking(() => this.#queue.delivered(event));
    return true;
  }

  /** The file is closed, and its queue may be gone: what was taken from it is ours. */
  #drop({ record }: TakenEvent): void {
    if (record !== 0) this.#machine.pools.events.free(record); // taken here, and in no list
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#settle();
    for (const { event } of this.#events.reverse()) {
      const isBack = this.#file.use(() => {
        this.#machine.blocking(() => this.#queue.restore(event));
        return true;
      });
      if (isBack === undefined) this.#drop(event);
    }
    this.#events = [];
    this.#file.wake();
    done(error);
  }
}
