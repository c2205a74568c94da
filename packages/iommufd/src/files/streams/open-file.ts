// A fault or event file by its descriptor, as one thread waits on it.
//
// Waiting holds nothing. Whoever closes a descriptor wakes who sleeps on its file.
//   [Z] close: the descriptor's slot, then WAKE    pairs with  wait: registered on WAKE, then the slot
// One side always sees the other: nobody sleeps on for a descriptor that is closed, also while another keeps the file.
// While somebody waits, the thread is kept alive, as by a socket that is read from: a reader's thread has nothing else to do, and a fault that
// nobody answers stops a device. Where nobody waits, nothing is kept alive.
import { setImmediate as turnOfEventLoop } from 'node:timers/promises';
import { IommuError } from '@faultline/core/errors';
import type { Machine } from '../../machine/index.ts';
import type { FileTable } from '../file-table.ts';
import { FILE_KIND, FILE_OBJECT, FILE_SERIAL } from '../layout.ts';

const FOREVER_MS = 2 ** 30;
/** Taken without a wait before timers and other input have a turn. */
const BURST = 64;

export interface OpenFileParts {
  readonly machine: Machine;
  readonly files: FileTable;
  readonly fd: number;
  /** FILE_*. */
  readonly kind: number;
  /** Word of the object's payload that says what is read from. */
  readonly word: number;
}

export interface WaitOptions {
  /** Ends the loop, quietly: to stop is no failure. */
  readonly signal?: AbortSignal;
}

/** One thread's end of a file that can be waited on. `T`: what comes out of it. */
export abstract class OpenFile<T> implements AsyncIterable<T> {
  readonly fd: number;
  protected readonly machine: Machine;
  /** The fault queue's number, the event queue's record. */
  protected readonly body: number;
  readonly #parts: OpenFileParts;
  readonly #fileAt: number;
  readonly #serial: number;

  /** @throws IommuError EBADF it is not open, or of another kind. */
  protected constructor(parts: OpenFileParts) {
    const { machine, files, fd, kind, word } = parts;
    const { words } = machine;
    this.fd = fd;
    this.machine = machine;
    this.#parts = parts;
    this.#fileAt = files.get('open', fd);
    try {
      if (words[this.#fileAt + FILE_KIND] !== kind)
        throw new IommuError('EBADF', 'open', 'fd', fd, 'is a file of another kind');
      this.#serial = words[this.#fileAt + FILE_SERIAL];
      this.body = words[machine.pools.objects.at(words[this.#fileAt + FILE_OBJECT]) + word];
    } finally {
      this.#put();
    }
  }

  /** Takes what is next, undefined: nothing waits. Context: the file is held. */
  protected abstract take(): T | undefined;
  /** Sleeps until something may wait. Up to its first await the file is held. */
  protected abstract park(): Promise<void>;
  /** Wakes who sleeps. */
  protected abstract wakeAll(): void;

  /** What is next, at once. @returns undefined: nothing waits. @throws IommuError EBADF closed */
  next(): T | undefined {
    return this.held('read', () => this.take());
  }

  /** What comes, until the file is closed, by any thread, or the signal says so. Pulled: nothing is taken before it is asked for. What was
   * handed out is the loop's, also where it is left. */
  read({ signal }: WaitOptions = {}): AsyncIterableIterator<T> {
    let isOver = signal?.aborted === true;
    let burst = 0;
    const end = (): IteratorReturnResult<undefined> => {
      isOver = true;
      signal?.removeEventListener('abort', end);
      this.wake();
      return { done: true, value: undefined };
    };
    signal?.addEventListener('abort', end);
    return {
      next: async () => {
        for (;;) {
          if (burst === BURST) await turnOfEventLoop();
          burst = burst === BURST ? 0 : burst + 1;
          if (isOver || !this.isOpen()) return end();
          const value = this.use(() => this.take());
          if (value !== undefined) return { done: false, value };
          await this.wait();
          burst = 0;
        }
      },
      return: async () => end(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this.read();
  }

  /** Sleeps until something may have come, or the file is closed. */
  async wait(): Promise<void> {
    const parked = this.use(() => {
      const isParked = this.park();
      if (!this.isOpen()) this.wakeAll(); // [Z] closed since, perhaps before there was anyone to wake
      return isParked;
    });
    if (parked === undefined) return;
    const alive = setInterval(() => {}, FOREVER_MS); // waitAsync keeps no thread alive
    try {
      await parked;
    } finally {
      clearInterval(alive);
    }
  }

  /** Has every {@link wait} return, on all threads: they look again. */
  wake(): void {
    this.use(() => this.wakeAll());
  }

  isOpen(): boolean {
    return this.use(() => true) === true;
  }

  /** Closes the descriptor: on all threads, who waits for it stops. Closed already: nothing. */
  close(): void {
    this.use(() => this.#parts.files.close(this.fd));
  }
  [Symbol.dispose](): void {
    this.close();
  }

  /** Runs `body` with the file held. @returns undefined when it is closed. */
  use<R>(body: () => R): R | undefined {
    if (!this.#get()) return undefined;
    try {
      return body();
    } finally {
      this.#put();
    }
  }

  /** As {@link use}. @throws IommuError EBADF */
  protected held<R>(call: string, body: () => R): R {
    if (!this.#get()) throw new IommuError('EBADF', call, 'fd', this.fd, 'is closed');
    try {
      return body();
    } finally {
      this.#put();
    }
  }

  #get(): boolean {
    const { files, fd } = this.#parts;
    let fileAt: number;
    try {
      fileAt = files.get('read', fd);
    } catch (error) {
      if (error instanceof IommuError && error.code === 'EBADF') return false;
      throw error;
    }
    // The number may be another file's by now.
    const isSame = this.machine.words[fileAt + FILE_SERIAL] === this.#serial;
    if (!isSame) files.put(fileAt);
    return isSame;
  }

  /** May be the last to have the file, and end what it is of. */
  #put(): void {
    this.machine.blocking(() => this.#parts.files.put(this.#fileAt));
  }
}
