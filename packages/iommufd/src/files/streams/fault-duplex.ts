import { Duplex } from 'node:stream';
import { IommuError } from '@faultline/core/errors';
import { RESPONSE_INVALID } from '@faultline/core/iopf';
import { BYTES_AT, BytesMemory } from '../../caller/index.ts';
import type { Machine } from '../../machine/index.ts';
import { PAGE_RESPONSE, PGFAULT } from '../../uapi/index.ts';
import type { OpenFaultFile } from './fault-file.ts';
import { fill } from './fill.ts';

const RECORDS = 32;

export interface FaultDuplexOptions {
  /** Destroys the stream, with AbortError. */
  readonly signal?: AbortSignal;
  /** Bytes that are read ahead of the consumer. Default 32 records. */
  readonly highWaterMark?: number;
}

/** A group that is in the stream's buffer, or was. */
interface Pushed {
  readonly cookie: number;
  /** Its last byte is before this one of all that was pushed. */
  readonly end: number;
}

/** A fault file as bytes: PGFAULT records out, in chunks of whole groups; PAGE_RESPONSE records in, cut anywhere. An answer that is refused
 * (stale, made up, a bad code) is told by the event `refused`, with its IommuError, and the others go on: a late answer is nothing unusual.
 * Ends when the file is closed. Destroying it answers Invalid what was read and has not reached the consumer whole: nobody else could. */
export class FaultDuplex extends Duplex {
  readonly #file: OpenFaultFile;
  readonly #machine: Machine;
  /** Bytes pushed, and the groups of those that may not have reached the consumer. */
  #pushed = 0;
  #groups: Pushed[] = [];
  #scratch: Uint8Array = new Uint8Array(RECORDS * PGFAULT.bytes);
  /** Of a response, its first bytes. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(
    file: OpenFaultFile,
    machine: Machine,
    { signal, highWaterMark = RECORDS * PGFAULT.bytes }: FaultDuplexOptions,
  ) {
    super({ readableHighWaterMark: highWaterMark, allowHalfOpen: false, ...(signal === undefined ? {} : { signal }) });
    this.#file = file;
    this.#machine = machine;
  }

  override _read(): void {
    void fill(this, this.#file, () => this.#take());
  }

  #take(): Uint8Array | undefined {
    const bytes = this.#machine.blocking(() => this.#readWhole());
    if (bytes === 0) return undefined;
    const chunk = this.#scratch.slice(0, bytes);
    this.#settle();
    const view = new DataView(chunk.buffer);
    for (let at = 0; at < bytes; at += PGFAULT.bytes) {
      const cookie = view.getInt32(at + PGFAULT.cookie, true);
      const end = this.#pushed + at + PGFAULT.bytes;
      if (this.#groups.at(-1)?.cookie === cookie) this.#groups.pop();
      this.#groups.push({ cookie, end });
    }
    this.#pushed += bytes;
    return chunk;
  }

  #readWhole(): number {
    for (;;) {
      try {
        return this.#file.file.read(new BytesMemory(this.#scratch), BYTES_AT, this.#scratch.length);
      } catch (error) {
        if (!(error instanceof IommuError && error.field === 'count')) throw error;
        this.#scratch = new Uint8Array(2 * this.#scratch.length); // the first group has more records
      }
    }
  }

  /** Forgets the groups that the consumer has. */
  #settle(): void {
    const handedOut = this.#pushed - this.readableLength;
    this.#groups = this.#groups.filter(({ end }) => end > handedOut);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const whole = bytes.length - (bytes.length % PAGE_RESPONSE.bytes);
    this.#rest = bytes.subarray(whole);
    try {
      const memory = new BytesMemory(bytes.subarray(0, whole));
      for (let at = 0; at < whole; ) at += this.#answer(memory, at, whole - at);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  /** @returns bytes that are done with. */
  #answer(memory: BytesMemory, at: number, count: number): number {
    if (!this.#file.isOpen()) throw new IommuError('EBADF', 'write', 'fd', this.#file.fd, 'is closed');
    try {
      return this.#file.use(() => this.#file.file.write(memory, BYTES_AT + BigInt(at), count)) ?? 0;
    } catch (error) {
      if (!(error instanceof IommuError && error.code === 'EINVAL')) throw error;
      this.emit('refused', error);
      return PAGE_RESPONSE.bytes;
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    const left = this.#rest.length;
    done(left === 0 ? null : new IommuError('EINVAL', 'write', 'count', left, 'the last response is cut off'));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#settle();
    // Closed: the queue's end, or the device's, answers them.
    this.#file.use(() => {
      for (const { cookie } of this.#groups) this.#giveUp(cookie);
    });
    this.#file.wake();
    done(error);
  }

  #giveUp(cookie: number): void {
    try {
      this.#file.respond(cookie, RESPONSE_INVALID);
    } catch (error) {
      if (!(error instanceof IommuError && error.field === 'cookie')) throw error; // answered, by turning faults off
    }
  }
}
