import { Delivery } from '../../fault-queue/index.ts';
import type { Machine } from '../../machine/index.ts';
import { FAULT_QUEUE } from '../../objects/index.ts';
import { FaultFile } from '../fault-file.ts';
import type { FileTable } from '../file-table.ts';
import { FILE_FAULT } from '../layout.ts';
import { FaultDuplex, type FaultDuplexOptions } from './fault-duplex.ts';
import { FaultGroup } from './fault-group.ts';
import { OpenFile } from './open-file.ts';

/** A fault file for users of this language: `for await (const group of file)`. Each thread opens its own over the same descriptor; a group goes
 * to one of them, and may be answered on another. */
export class OpenFaultFile extends OpenFile<FaultGroup> {
  /** The same by bytes, as read(2) and write(2). */
  readonly file: FaultFile;
  readonly #delivery: Delivery;

  /** @throws IommuError EBADF no open fault file. */
  constructor(machine: Machine, files: FileTable, fd: number) {
    super({ machine, files, fd, kind: FILE_FAULT, word: FAULT_QUEUE });
    this.file = new FaultFile(machine, this.body);
    this.#delivery = new Delivery(machine.system, machine.faultQueueAt(this.body));
  }

  /** Answers a group by its cookie. See {@link FaultGroup.respond}. */
  respond(cookie: number, code: number): boolean {
    return this.held('respond', () => this.machine.answering(() => this.file.queue.respond(cookie, code)));
  }

  /** The file as a stream of bytes: records of faults out, responses in. Destroying it leaves the file open. */
  stream(options: FaultDuplexOptions = {}): FaultDuplex {
    return new FaultDuplex(this, this.machine, options);
  }

  /** Id under which a device is bound, 0 for none. */
  deviceIdOf(device: number): number {
    return device === 0 ? 0 : this.machine.deviceIdOf(device);
  }

  protected take(): FaultGroup | undefined {
    const { queue } = this.file;
    return this.machine.answering(() => {
      const cookie = queue.next();
      return cookie === 0 ? undefined : new FaultGroup(this, cookie, queue.fault.copy());
    });
  }
  protected park(): Promise<void> {
    return this.#delivery.parkAsync(Number.POSITIVE_INFINITY);
  }
  protected wakeAll(): void {
    this.#delivery.wake();
  }
}
