import { checkInteger, IommuError } from '@faultline/core/errors';
import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  type IommuOps,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from '@faultline/core/iopf';
import { type Doorbell, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { PRG_FAILURE, PRG_INVALID, PRG_SUCCESS } from '../pcie/pri-port.layout.ts';
import type { FieldValues } from '../smmu-v3/fields.ts';
import {
  COMMAND_WORDS,
  encodeCommand,
  LAST_PAGE_NUMBER,
  writeCompletePpr,
  writeCompletionWait,
  writeInvalidateDevtabEntry,
  writeInvalidateIommuPages,
  writeInvalidateIotlbPages,
  writeNothing,
} from './commands.ts';
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
import { type Procedure, runProcedure } from './procedure.ts';
import { CONTROL_CMDBUF_EN, STATUS_CMD_RUN } from './registers.ts';

/** A thread that waits for the hardware looks for command errors, and makes the hardware look at its clock, this often. */
const SLICE_MS = 20;
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

/** Answers and invalidations of one thread. Make one a thread. There is one command buffer for all: commands gather here, and go into it
 * together under its lock. The lock guards TAIL, the free entries and the serial of COMPLETION_WAIT; nothing else is taken under it.
 * Orderings are named in command-unit.ts. @see Linux iommu_queue_command_sync(), iommu_completion_wait() */
export class AmdOps implements IommuOps {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;
  readonly #ring: number;
  readonly #mask: number; // bytes of the buffer, less one
  readonly #batch: Int32Array = new Int32Array(BATCH * COMMAND_WORDS);
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

  /** Commands that the hardware refused and that this thread overwrote. */
  get recovered(): number {
    return this.#recovered;
  }

  /** COMPLETE_PPR_REQUEST for the group of the request at `recordAt`: its device id is TOKEN, its PRG index GRPID. The core's codes become
   * those of PCIe; Linux hands its number for Failure on unchanged, which PCIe does not define.
   * @throws IommuError ETIMEDOUT when the hardware consumes nothing. */
  pageResponse(recordAt: number, code: ResponseCode): void {
    const words = this.#words;
    const pasid = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) !== 0 ? words[recordAt + FAULT_PASID] : -1;
    const status = code === RESPONSE_SUCCESS ? PRG_SUCCESS : code === RESPONSE_INVALID ? PRG_INVALID : PRG_FAILURE;
    this.completePpr(words[recordAt + FAULT_TOKEN], pasid, words[recordAt + FAULT_GRPID], status);
  }

  /** COMPLETE_PPR_REQUEST. @param pasid or -1: the request had none. @param status as PCIe has it, 4 bits. */
  completePpr(deviceId: number, pasid: number, prgIndex: number, status: number): void {
    writeCompletePpr(this.#batch, this.#claim(), deviceId, pasid, prgIndex, status);
  }

  /** The hardware reads the device's table entry afresh. In effect after {@link sync}. */
  invalidateDevtabEntry(deviceId: number): void {
    writeInvalidateDevtabEntry(this.#batch, this.#claim(), deviceId);
  }

  /** Pages `first` to `last` of a domain. @param pasid or -1: the host table's. In effect after {@link sync}.
   * @throws IommuError EINVAL page numbers that are none */
  invalidatePages(domain: number, pasid: number, first: number = 0, last: number = LAST_PAGE_NUMBER): void {
    checkPages('invalidatePages', first, last);
    writeInvalidateIommuPages(this.#batch, this.#claim(), domain, pasid, first, last);
  }

  /** Pages `first` to `last` in a device's own cache, `maxPend` of these under way at once (0: as many as it takes). The device's pages
   * of the domain go first. What the device had asked for before is in the PPR log, or gone, after {@link sync}.
   * @throws IommuError EINVAL page numbers that are none */
  invalidateIotlb(
    deviceId: number,
    pasid: number,
    first: number = 0,
    last: number = LAST_PAGE_NUMBER,
    maxPend: number = 0,
  ): void {
    checkPages('invalidateIotlb', first, last);
    writeInvalidateIotlbPages(this.#batch, this.#claim(), deviceId, maxPend, pasid, first, last);
  }

  /** Queues any command by its table. @throws IommuError as encodeCommand */
  issue(op: number, values: FieldValues): void {
    encodeCommand(this.#batch, this.#claim(), op, values);
  }

  /** Queues four words as they are, well-formed or not: for tests and fault injection. */
  issueRaw(w0: number, w1: number, w2: number, w3: number): void {
    const at = this.#claim();
    this.#batch[at] = w0;
    this.#batch[at + 1] = w1;
    this.#batch[at + 2] = w2;
    this.#batch[at + 3] = w3;
  }

  /** Hands what was gathered to the hardware, with one store unless the buffer is full. Also where a stopped buffer is noticed.
   * @throws IommuError ETIMEDOUT; what was not handed over stays gathered. */
  flushResponses(): void {
    if (this.#count !== 0 || this.#isStopped()) this.#submit(false);
  }

  /** Makes the hardware look. */
  kick(): void {
    this.#hardware.ring();
  }

  /** Waits until every command handed over by this thread has taken effect: one COMPLETION_WAIT for all of them.
   * Context: blocks. @throws IommuError ETIMEDOUT */
  sync(): void {
    const target = this.#submit(true);
    const at = this.#base + AMD_CMD_STORE;
    for (let spin = 0; spin < this.#self.spins && !this.#isStored(target); spin++);
    for (const deadline = this.#deadline(); !this.#isStored(target); ) {
      this.#checkHardware('AmdOps.sync', deadline);
      const seen = Atomics.load(this.#words, at);
      if (((seen - target) | 0) < 0) Atomics.wait(this.#words, at, seen, SLICE_MS);
    }
  }

  /** {@link sync} for a thread that must not block. @throws IommuError ETIMEDOUT */
  syncAsync(): Promise<void> {
    return runProcedure(this.#words, this.syncSteps());
  }

  /** {@link sync} as a procedure. @throws IommuError ETIMEDOUT */
  *syncSteps(): Procedure {
    const target = this.#submit(true);
    const at = this.#base + AMD_CMD_STORE;
    for (const deadline = this.#deadline(); !this.#isStored(target); ) {
      this.#checkHardware('AmdOps.sync', deadline);
      const seen = Atomics.load(this.#words, at);
      if (((seen - target) | 0) < 0) yield { at, seen };
    }
  }

  /** @returns offset in the batch of the command to fill. */
  #claim(): number {
    if (this.#count === BATCH) this.#submit(false);
    return this.#count++ * COMMAND_WORDS;
  }

  /** Copies the batch into the buffer, and a COMPLETION_WAIT behind it if asked for. @returns the wait's data. */
  #submit(wait: boolean): number {
    const words = this.#words;
    const lock = this.#base + AMD_CMD_LOCK;
    let serial = 0;
    mutexLock(words, lock, this.#self);
    try {
      if (this.#isStopped()) this.#restart();
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
          for (let word = 0; word < COMMAND_WORDS; word++) words[at + word] = this.#batch[from + word];
        }
        this.#publish(run);
        done += run;
      }
    } finally {
      this.#batch.copyWithin(0, done * COMMAND_WORDS, this.#count * COMMAND_WORDS);
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
      for (const deadline = this.#deadline(); room === 0; room = this.#room()) {
        if (this.#isStopped()) this.#restart();
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

  #isStored(target: number): boolean {
    return ((Atomics.load(this.#words, this.#base + AMD_CMD_STORE) - target) | 0) >= 0;
  }

  #deadline(): number {
    return performance.now() + this.#timeoutMs;
  }

  /** A buffer that stands still may have stopped, or wait for a device whose time is over. @throws IommuError ETIMEDOUT */
  #checkHardware(call: string, deadline: number): void {
    if (performance.now() >= deadline)
      throw new IommuError('ETIMEDOUT', call, 'timeoutMs', this.#timeoutMs, 'the hardware completed nothing');
    if (this.#isStopped()) this.#submit(false);
    else this.#hardware.ring();
  }

  /** Whether the buffer is on and does not run: an error, unless the hardware has yet to see the last restart. */
  #isStopped(): boolean {
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

function checkPages(call: string, first: number, last: number): void {
  checkInteger(call, 'first', first, 0, LAST_PAGE_NUMBER);
  checkInteger(call, 'last', last, first, LAST_PAGE_NUMBER);
}
