// iommufd's fault queue in small, as of 7.1 (drivers/iommu/iommufd/eventq.c): groups wait in a deliver list for a reader, and
// then in a table for their answer.
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { GROUP, type Iopf } from './iopf.ts';

/** A queue's words in region `shared`, from the offset that {@link FaultQueue} is given. */
export const QUEUE = {
  /** Serialises read, write and the automatic answers. */
  MUTEX: 0,
  /** Spinlock: DELIVER. Nested in MUTEX. */
  LOCK: 1,
  /** Groups that nobody has read. */
  DELIVER: 2,
  /** The group that was read and not answered, under cookie 1: the table has one place. */
  RESPONSE: 3,
} as const;

export const QUEUE_WORDS = 4;

/** An attach handle's words. */
export const HANDLE = { DEVICE_ID: 0 } as const;

/** Names of a queue's words, for reports. */
export function queueFields(name: string, at: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(QUEUE).map(([field, offset]) => [`${name}.${field}`, at + offset]));
}

export class FaultQueue {
  readonly #iopf: Iopf;
  readonly #base: number;

  constructor(iopf: Iopf, at: number) {
    this.#iopf = iopf;
    this.#base = iopf.kernel.shared(at);
  }

  /** The domain's fault handler: queues a group for a reader. */
  deliver(group: number): void {
    this.#locked(QUEUE.LOCK, () => this.#iopf.node.append(this.#base + QUEUE.DELIVER, group));
  }

  /** read(): delivers the oldest group. @returns its cookie, 0 for none. */
  read(): number {
    const { words } = this.#iopf.kernel;
    return this.#locked(QUEUE.MUTEX, () => {
      const group = this.#locked(QUEUE.LOCK, () => this.#iopf.node.shift(this.#base + QUEUE.DELIVER));
      if (group === 0) return 0;
      // The message names the device by what its attach handle says.
      if (words[words[group + GROUP.HANDLE] + HANDLE.DEVICE_ID] === 0) throw new Error('a message without a device');
      words[this.#base + QUEUE.RESPONSE] = group;
      return 1;
    });
  }

  /** write(): the answer to a cookie that was read. A cookie that names nothing any more is refused. */
  write(cookie: number, respond: (group: number) => void): void {
    const { words } = this.#iopf.kernel;
    this.#locked(QUEUE.MUTEX, () => {
      const group = words[this.#base + QUEUE.RESPONSE];
      if (cookie === 0 || group === 0) return;
      words[this.#base + QUEUE.RESPONSE] = 0;
      respond(group);
      this.#iopf.freeGroup(group);
    });
  }

  /** iommufd_auto_response_faults(): answers for user space what came through this attach handle. */
  autoResponse(handle: number, respond: (group: number) => void): void {
    const { kernel, node } = this.#iopf;
    const { words } = kernel;
    const isMeant = (group: number): boolean => words[group + GROUP.HANDLE] === handle;
    this.#locked(QUEUE.MUTEX, () => {
      const groups = this.#locked(QUEUE.LOCK, () => {
        const found = node.all(this.#base + QUEUE.DELIVER).filter(isMeant);
        for (const group of found) node.remove(this.#base + QUEUE.DELIVER, group);
        return found;
      });
      const read = words[this.#base + QUEUE.RESPONSE];
      if (read !== 0 && isMeant(read)) {
        words[this.#base + QUEUE.RESPONSE] = 0;
        groups.push(read);
      }
      for (const group of groups) {
        respond(group);
        this.#iopf.freeGroup(group);
      }
    });
  }

  #locked<T>(lock: number, body: () => T): T {
    const { words, self } = this.#iopf.kernel;
    mutexLock(words, this.#base + lock, self);
    const result = body();
    mutexUnlock(words, this.#base + lock, self);
    return result;
  }
}
