// The main thread's end of a recording: takes what the interrupt's thread has put into the ring, now and then, and writes it as lines.
import { closeSync, openSync } from 'node:fs';
import type { Arena } from '@faultline/core/memory';
import { SpscConsumer } from '@faultline/core/ring';
import { TICK_NS } from '@faultline/core/sync';
import { bytesOf } from '../trace/cursor.ts';
import { formatHeader } from '../trace/json-line.ts';
import { flagText } from '../trace/trace-record.ts';
import { ByteWriter } from './byte-writer.ts';
import {
  initRequestRing,
  lostAt,
  REQUEST_DEVICE,
  REQUEST_FLAGS,
  REQUEST_INDEX,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_TICK,
  ringBase,
} from './request-ring.ts';

/** How a device is written: the core knows its number alone. */
export interface RecordedName {
  readonly name: string;
  readonly rid: number;
}

const DRAIN_MS = 10;
const BUFFER_BYTES: number = 1 << 20;
const LINE_BYTES = 512;

const TIME = bytesOf('{"t":');
const DEVICE = bytesOf(',"device":"');
const SEQUENCE = bytesOf('","seq":');
const RID = bytesOf(',"rid":');
const PASID = bytesOf(',"pasid":');
const INDEX = bytesOf(',"index":');
const PAGE = bytesOf(',"page":');
const FLAGS: readonly Uint8Array[] = Array.from({ length: 2 * REQUEST_LAST }, (_, flags) =>
  bytesOf(`,"flags":"${flagText(flags & (REQUEST_LAST - 1), (flags & REQUEST_LAST) !== 0)}"}\n`),
);

export class RequestRecorder {
  /** Requests written, and those that were lost as the ring was full. */
  written = 0;
  lost = 0;
  /** Milliseconds that the main thread was at it, waits for a processor included. */
  writingMs = 0;
  /** Milliseconds of the cells that were recorded. */
  cellMs = 0;
  #beganMs = 0;
  readonly #fd: number;
  readonly #writer: ByteWriter;
  readonly #nameOf: (device: number) => RecordedName;
  readonly #names: { readonly name: Uint8Array; readonly rid: number }[] = [];
  #arena: Arena | undefined;
  #ring: SpscConsumer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;
  #ticks = 0; // since the first cell's start
  #cellTicks = 0;

  /** @param nameOf asked once a device, when its first request is written. @throws what the file system says. */
  constructor(file: string, nameOf: (device: number) => RecordedName) {
    this.#fd = openSync(file, 'w');
    this.#writer = new ByteWriter(this.#fd, BUFFER_BYTES);
    this.#nameOf = nameOf;
  }

  /** A cell is laid out and about to start. @param about what people may want to know of it. */
  begin(arena: Arena, about: Readonly<Record<string, string | number>>): void {
    initRequestRing(arena);
    this.#beganMs = performance.now();
    this.#arena = arena;
    this.#ring = new SpscConsumer(arena.words, ringBase(arena));
    this.#lastTick = 0;
    this.#cellTicks = this.#ticks;
    const header = bytesOf(`${formatHeader(about)}\n`);
    this.#writer.reserve(header.length);
    this.#writer.text(header);
    this.#timer = setInterval(() => this.#drain(), DRAIN_MS);
  }

  /** Its threads have left the cell. */
  end(): void {
    clearInterval(this.#timer);
    this.cellMs += performance.now() - this.#beganMs;
    this.#drain();
    const arena = this.#arena;
    const lost = arena === undefined ? 0 : arena.words[lostAt(arena)];
    if (lost > 0) {
      this.lost += lost;
      const line = bytesOf(`{"lost":${lost}}\n`);
      this.#writer.reserve(line.length);
      this.#writer.text(line);
    }
    this.#ring = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#writer.flush();
    closeSync(this.#fd);
  }

  #drain(): void {
    const ring = this.#ring;
    const words = this.#arena?.words;
    if (ring === undefined || words === undefined) return;
    const start = performance.now();
    for (let at = ring.peek(); at !== 0; at = ring.peek()) {
      this.#write(words, at);
      ring.next();
    }
    ring.release();
    this.writingMs += performance.now() - start;
  }

  #write(words: Int32Array, at: number): void {
    const writer = this.#writer;
    const tick = words[at + REQUEST_TICK];
    this.#cellTicks += (tick - this.#lastTick) | 0; // ticks wrap
    this.#lastTick = tick;
    this.#ticks = Math.max(this.#ticks, this.#cellTicks);
    const { name, rid } = this.#name(words[at + REQUEST_DEVICE]);
    writer.reserve(LINE_BYTES);
    writer.text(TIME);
    writer.decimal(Math.max(0, this.#cellTicks) * TICK_NS);
    writer.text(DEVICE);
    writer.text(name);
    writer.text(SEQUENCE);
    writer.decimal(++this.written);
    writer.text(RID);
    writer.decimal(rid);
    writer.text(PASID);
    writer.decimal(words[at + REQUEST_PASID]);
    writer.text(INDEX);
    writer.decimal(words[at + REQUEST_INDEX]);
    writer.text(PAGE);
    writer.decimal(words[at + REQUEST_PAGE_HI] * 2 ** 32 + (words[at + REQUEST_PAGE_LO] >>> 0));
    writer.text(FLAGS[words[at + REQUEST_FLAGS] & (2 * REQUEST_LAST - 1)]);
  }

  #name(device: number): { readonly name: Uint8Array; readonly rid: number } {
    const known = this.#names[device];
    if (known !== undefined) return known;
    const { name, rid } = this.#nameOf(device);
    this.#names[device] = { name: bytesOf(name), rid };
    return this.#names[device];
  }
}
