import { checkInteger } from '@faultline/core/errors';
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
import type { Doorbell, Words } from '@faultline/core/sync';
import { PRG_FAILURE, PRG_INVALID, PRG_SUCCESS } from '../pcie/pri-port.layout.ts';
import { type Procedure, runProcedure } from '../procedure/procedure.ts';
import type { FieldValues } from '../record/fields.ts';
import { type AmdOpsConfig, CommandBuffer, SLICE_MS } from './command-buffer.ts';
import {
  encodeCommand,
  writeCompletePpr,
  writeInvalidateDevtabEntry,
  writeInvalidateIommuPages,
  writeInvalidateIotlbPages,
} from './commands.ts';
import { AMD_CMD_STORE } from './layout.ts';
import { LAST_PAGE_NUMBER } from './page-range.ts';

/** Answers and invalidations of one thread. Make one a thread. Nothing that is called here waits for the hardware before 64 commands have
 * gathered, {@link AmdOps.flushResponses} and {@link AmdOps.sync} apart. */
export class AmdOps implements IommuOps {
  readonly #words: Words;
  readonly #storeAt: number;
  readonly #spins: number;
  readonly #hardware: Doorbell;
  readonly #buffer: CommandBuffer;

  constructor(words: Words, base: number, config: AmdOpsConfig) {
    this.#words = words;
    this.#storeAt = base + AMD_CMD_STORE;
    this.#spins = config.self.spins;
    this.#hardware = config.hardwareDoorbell;
    this.#buffer = new CommandBuffer(words, base, config);
  }

  /** Commands that the hardware refused and that this thread overwrote. */
  get recovered(): number {
    return this.#buffer.recovered;
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
    writeCompletePpr(this.#buffer.batch, this.#buffer.claim(), deviceId, pasid, prgIndex, status);
  }

  /** The hardware reads the device's table entry afresh. In effect after {@link sync}. */
  invalidateDevtabEntry(deviceId: number): void {
    writeInvalidateDevtabEntry(this.#buffer.batch, this.#buffer.claim(), deviceId);
  }

  /** Pages `first` to `last` of a domain. @param pasid or -1: the host table's. In effect after {@link sync}.
   * @throws IommuError EINVAL page numbers that are none */
  invalidatePages(domain: number, pasid: number, first: number = 0, last: number = LAST_PAGE_NUMBER): void {
    checkPages('invalidatePages', first, last);
    writeInvalidateIommuPages(this.#buffer.batch, this.#buffer.claim(), domain, pasid, first, last);
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
    writeInvalidateIotlbPages(this.#buffer.batch, this.#buffer.claim(), deviceId, maxPend, pasid, first, last);
  }

  /** Queues any command by its table. @throws IommuError as encodeCommand */
  issue(op: number, values: FieldValues): void {
    encodeCommand(this.#buffer.batch, this.#buffer.claim(), op, values);
  }

  /** Queues four words as they are, well-formed or not: for tests and fault injection. */
  issueRaw(w0: number, w1: number, w2: number, w3: number): void {
    const at = this.#buffer.claim();
    this.#buffer.batch[at] = w0;
    this.#buffer.batch[at + 1] = w1;
    this.#buffer.batch[at + 2] = w2;
    this.#buffer.batch[at + 3] = w3;
  }

  /** Hands what was gathered to the hardware, with one store unless the buffer is full. Also where a stopped buffer is noticed.
   * @throws IommuError ETIMEDOUT; what was not handed over stays gathered. */
  flushResponses(): void {
    if (!this.#buffer.isEmpty || this.#buffer.isStopped()) this.#buffer.submit(false);
  }

  /** Makes the hardware look. */
  kick(): void {
    this.#hardware.ring();
  }

  /** Waits until every command handed over by this thread has taken effect: one COMPLETION_WAIT for all of them.
   * Context: blocks. @throws IommuError ETIMEDOUT */
  sync(): void {
    const target = this.#buffer.submit(true);
    const at = this.#storeAt;
    for (let spin = 0; spin < this.#spins && !this.#buffer.isStored(target); spin++);
    for (const deadline = this.#buffer.deadline(); !this.#buffer.isStored(target); ) {
      this.#buffer.checkHardware('AmdOps.sync', deadline);
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
    const target = this.#buffer.submit(true);
    const at = this.#storeAt;
    for (const deadline = this.#buffer.deadline(); !this.#buffer.isStored(target); ) {
      this.#buffer.checkHardware('AmdOps.sync', deadline);
      const seen = Atomics.load(this.#words, at);
      if (((seen - target) | 0) < 0) yield { at, seen };
    }
  }
}

function checkPages(call: string, first: number, last: number): void {
  checkInteger(call, 'first', first, 0, LAST_PAGE_NUMBER);
  checkInteger(call, 'last', last, first, LAST_PAGE_NUMBER);
}
