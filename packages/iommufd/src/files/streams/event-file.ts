import type { Machine } from '../../machine/index.ts';
import { VEVENTQ_BODY } from '../../objects/index.ts';
import { EventQueue } from '../../veventq/index.ts';
import { EventFile, type ViommuEvent } from '../event-file.ts';
import type { FileTable } from '../file-table.ts';
import { FILE_EVENTS } from '../layout.ts';
import { EventReadable, type EventReadableOptions } from './event-readable.ts';
import { OpenFile } from './open-file.ts';

/** An event file for users of this language: `for await (const event of file)`. Each thread opens its own over the same descriptor; an event goes
 * to one of them. */
export class OpenEventFile extends OpenFile<ViommuEvent> {
  /** The same by bytes, as read(2). */
  readonly file: EventFile;
  readonly #queue: EventQueue;

  /** @throws IommuError EBADF no open event file. */
  constructor(machine: Machine, files: FileTable, fd: number) {
    super({ machine, files, fd, kind: FILE_EVENTS, word: VEVENTQ_BODY });
    this.file = new EventFile(machine, this.body);
    this.#queue = new EventQueue(machine, this.body);
  }

  /** The file as a stream of bytes: header and payload, whole events. Destroying it leaves the file open. */
  stream(options: EventReadableOptions = {}): EventReadable {
    return new EventReadable(this, this.#queue, this.machine, options);
  }

  /** Its payload is its own: a record is free for the next event as soon as this one is delivered. */
  protected take(): ViommuEvent | undefined {
    const event = this.machine.blocking(() => this.file.next());
    return event === undefined ? undefined : { ...event, payload: event.payload.slice() };
  }
  protected park(): Promise<void> {
    return this.#queue.parkAsync(Number.POSITIVE_INFINITY);
  }
  protected wakeAll(): void {
    this.#queue.wake();
  }
}
