import { IommuError } from '@faultline/core/errors';
import { type Doorbell, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { COMMAND_WORDS, writeCompletionWait, writeNothing } from './commands.ts';
import { clearControl, hardwareHasSeen, setControl } from './control.ts';
import {
  AMD_CMD_ENTRIES,
  AMD_CMD_HEAD,
  AMD_CMD_LOCK,
  AMD_CMD_PARKED,
  AMD_CMD_RESTART,
  AMD_CMD_SERIAL,
  AMD_CMD_STORE,
  AMD_CMD_TAIL,
  AMD_CMDBUF,
  AMD_CONTROL,
  AMD_STATUS,
  checkAmd,
} from './layout.ts';
import { CONTROL_CMDBUF_EN, STATUS_CMD_RUN } from './registers.ts';

/** A thread that waits for the hardware looks for command errors, and makes the hardware look at its clock, this often. */
export const SLICE_MS = 20;
const COMMAND_BYTES = COMMAND_WORDS * 4;
/** Commands gathered before they are copied into the buffer under its lock. */
const BATCH = 64;

export interface AmdOpsConfig {
  /** This thread: the lock of the command buffer is taken in its name. */
  readonly self: ThreadSelf;
  /** The hardware host's doorbell. */
  readonly hardwareDoorbell: Doorbell;
  /** How long to wait for a hardware that does not consume. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Software's end of the command buffer, as one thread uses it. There is one buffer for all: commands gather here, and go into it together
 * under its lock. The lock guards TAIL, the free entries and the serial of COMPLETION_WAIT; nothing else is taken under it.
 * Orderings are named in command-ring.ts. @see Linux iommu_queue_command_sync(), iommu_completion_wait() */
export class CommandBuffer {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;
  readonly #ring: number;
  readonly #mask: number; // bytes of the buffer, less one
  /** Commands that are gathered: {@link claim} says where. */
  readonly batch: Int32Array = new Int32Array(BATCH * COMMAND_WORDS);
  #count = 0; // commands in the batch
  #recovered = 0;

  constructor(words: Words, base: number, config: AmdOpsConfig) {
    checkAmd(words, base, 'AmdOps');
    this.#words = words;
    this.#base = base;
    this.#self = config.self;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
    this.#ring = base + words[base + AMD_CMDBUF];
    this.#mask = words[base + AMD_CMD_ENTRIES] * COMMAND_BYTES - 1;
  }

  get recovered(): number {
    return this.#recovered;
  }

  /** Whether anything is gathered. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** @returns offset in the batch of the command to fill. */
  claim(): number {
    if (this.#count === BATCH) this.submit(false);
    return this.#count++ * COMMAND_WORDS;
  }

  /** Copies the batch into the buffer, and a COMPLETION_WAIT behind it if asked for. @returns the wait's data. */
  submit(wait: boolean): number {
    const words = this.#words;
    const lock = this.#base + AMD_CMD_LOCK;
    let serial = 0;
    mutexLock(words, lock, this.#self);
    try {
      if (this.isStopped()) this.#restart();
      this.#copyBatch();
      if (wait) {
        serial = (words[this.#base + AMD_CMD_SERIAL] + 1) | 0;
        this.#waitForRoom();
        writeCompletionWait(words, this.#entry(), this.#base + AMD_CMD_STORE, serial);
        words[this.#base + AMD_CMD_SERIAL] = serial;
        this.#publish(1);
      }
    } finally {
      mutexUnlock(words, lock, this.#self);
    }
    this.#hardware.ring();
    return serial;
  }

  /** What is copied is published, and gone from the batch, also when no more fits in time. */
  #copyBatch(): void {
    const words = this.#words;
    let done = 0;
    try {
      while (done < this.#count) {
        const room = this.#waitForRoom();
        const run = Math.min(room, this.#count - done);
        const tail = Atomics.load(words, this.#base + AMD_CMD_TAIL);
        for (let i = 0; i < run; i++) {
          const at = this.#ring + (((tail + i * COMMAND_BYTES) & this.#mask) >>> 2);
          const from = (done + i) * COMMAND_WORDS;
          for (let word = 0; word < COMMAND_WORDS; word++) words[at + word] = this.batch[from + word];
        }
        this.#publish(run);
        done += run;
      }
    } finally {
      this.batch.copyWithin(0, done * COMMAND_WORDS, this.#count * COMMAND_WORDS);
      this.#count -= done;
    }
  }

  #entry(): number {
    return this.#ring + (Atomics.load(this.#words, this.#base + AMD_CMD_TAIL) >>> 2);
  }

  #publish(commands: number): void {
    const at = this.#base + AMD_CMD_TAIL;
    Atomics.store(this.#words, at, (Atomics.load(this.#words, at) + commands * COMMAND_BYTES) & this.#mask); // [P]
  }

  /** Free entries: one stays unused, as head and tail that are equal mean empty. */
  #room(): number {
    const head = Atomics.load(this.#words, this.#base + AMD_CMD_HEAD); // [F]
    const tail = Atomics.load(this.#words, this.#base + AMD_CMD_TAIL);
    return ((head - tail - COMMAND_BYTES) & this.#mask) / COMMAND_BYTES;
  }

  /** Context: CMD_LOCK. @returns free entries, at least one. @throws IommuError ETIMEDOUT */
  #waitForRoom(): number {
    const words = this.#words;
    let room = this.#room();
    if (room !== 0) return room;
    const at = this.#base + AMD_CMD_HEAD;
    this.#hardware.ring();
    Atomics.store(words, this.#base + AMD_CMD_PARKED, 1); // [W]
    try {
      for (const deadline = this.deadline(); room === 0; room = this.#room()) {
        if (this.isStopped()) this.#restart();
        if (performance.now() >= deadline)
          throw new IommuError('ETIMEDOUT', 'AmdOps.flush', 'timeoutMs', this.#timeoutMs, 'no command was consumed');
        const head = Atomics.load(words, at);
        if (this.#room() === 0) Atomics.wait(words, at, head, SLICE_MS); // [W]
        this.#hardware.ring();
      }
    } finally {
      Atomics.store(words, this.#base + AMD_CMD_PARKED, 0);
    }
    return room;
  }

  /** Whether the wait that {@link submit} returned is done. */
  isStored(target: number): boolean {
    return ((Atomics.load(this.#words, this.#base + AMD_CMD_STORE) - target) | 0) >= 0;
  }

  /** When who starts to wait now has waited long enough. */
  deadline(): number {
    return performance.now() + this.#timeoutMs;
  }

  /** A buffer that stands still may have stopped, or wait for a device whose time is over. @throws IommuError ETIMEDOUT */
  checkHardware(call: string, deadline: number): void {
    if (performance.now() >= deadline)
      throw new IommuError('ETIMEDOUT', call, 'timeoutMs', this.#timeoutMs, 'the hardware completed nothing');
    if (this.isStopped()) this.submit(false);
    else this.#hardware.ring();
  }

  /** Whether the buffer is on and does not run: an error, unless the hardware has yet to see the last restart. */
  isStopped(): boolean {
    const words = this.#words;
    return (
      (Atomics.load(words, this.#base + AMD_STATUS) & STATUS_CMD_RUN) === 0 &&
      (Atomics.load(words, this.#base + AMD_CONTROL) & CONTROL_CMDBUF_EN) !== 0 &&
      hardwareHasSeen(words, this.#base, Atomics.load(words, this.#base + AMD_CMD_RESTART)) &&
      (Atomics.load(words, this.#base + AMD_STATUS) & STATUS_CMD_RUN) === 0
    );
  }

  /** Overwrites the command that stopped the buffer, and starts it again: HEAD, TAIL and the rest stay. Context: CMD_LOCK. */
  #restart(): void {
    const words = this.#words;
    const head = Atomics.load(words, this.#base + AMD_CMD_HEAD);
    if (head !== Atomics.load(words, this.#base + AMD_CMD_TAIL)) {
      writeNothing(words, this.#ring + ((head & this.#mask) >>> 2));
      this.#recovered++;
    }
    clearControl(words, this.#base, CONTROL_CMDBUF_EN);
    const write = setControl(words, this.#base, CONTROL_CMDBUF_EN);
    Atomics.store(words, this.#base + AMD_CMD_RESTART, write);
    this.#hardware.ring();
  }
}
