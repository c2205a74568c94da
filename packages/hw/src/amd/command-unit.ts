import type { Words } from '@faultline/core/sync';
import type { PriPortSet } from '../pcie/pri-port-set.ts';
import type { PumpTick } from '../smmu-v3/pump-tick.ts';
import {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_COMPLETION_WAIT,
  CMD_INVALIDATE_DEVTAB_ENTRY,
  CMD_INVALIDATE_INTERRUPT_TABLE,
  CMD_INVALIDATE_IOMMU_ALL,
  CMD_INVALIDATE_IOMMU_PAGES,
  CMD_INVALIDATE_IOTLB_PAGES,
  COMMAND_WORDS,
  commandDevice,
  commandOp,
  completePprGroup,
  completePprPasid,
  completePprStatus,
  waitAddressHigh,
  waitInterrupts,
  waitStores,
  waitWordAt,
} from './commands.ts';
import type { DteCache } from './dte-cache.ts';
import { EVENT_COMMAND_HARDWARE_ERROR, EVENT_IOTLB_INV_TIMEOUT } from './event-log.ts';
import type { EventWriter } from './event-writer.ts';
import { IOTLB_BUSY, IOTLB_NOBODY, type IotlbTracker } from './iotlb-tracker.ts';
import {
  AMD_CMD_BASE,
  AMD_CMD_HEAD,
  AMD_CMD_PARKED,
  AMD_CMD_STARTS,
  AMD_CMD_TAIL,
  AMD_STATS,
  AMD_STATUS,
  STAT_COMMAND_ERRORS,
  STAT_COMMANDS,
  STAT_INVALIDATIONS,
  STAT_IOTLB_TIMEOUTS,
  STAT_RESPONSES,
  STAT_STRAYS,
  STAT_UNDELIVERED,
  STAT_WAITS,
} from './layout.ts';
import type { LogWriter } from './log-writer.ts';
import {
  baseEntries,
  baseWordAt,
  CONTROL_CMDBUF_EN,
  CONTROL_COMWAITINT_EN,
  CONTROL_INV_TIMEOUT_MASK,
  CONTROL_INV_TIMEOUT_SHIFT,
  CONTROL_IOMMU_EN,
  STATUS_CMD_RUN,
  STATUS_COMWAIT_INT,
} from './registers.ts';

// The hardware's end of the command buffer. Commands take effect here and now, but for invalidations of devices' caches, whose completions
// COMPLETION_WAIT waits for. Later commands are not begun before it is done, whether its F bit asks for that or not.
//
// A command that is illegal, or whose store cannot be made, stops the buffer: HEAD stays at it, RUN goes, an event says where. It is
// fetched again when software has written the enable bit 0, then 1.
//
// Ordering. Entries are plain.
//   [P] AmdOps: entries, then TAIL                   pairs with  [C] consume: TAIL, then entries
//   [R] release: entries and effects, then HEAD      pairs with  [F] AmdOps: HEAD, then entries overwritten
//   [W] release: HEAD, then PARKED                   pairs with  AmdOps waiting for room: PARKED, then HEAD (compared inside Atomics.wait)
//   [D] COMPLETION_WAIT: effects, then its store     pairs with  AmdOps: the stored word, then whatever it was to order

const COMMAND_BYTES = COMMAND_WORDS * 4;

const DONE = 0;
/** Not yet: an invalidation it waits for, or needs a tag of, is under way. */
const BLOCKED = 1;
const STOPPED = 2;

export class CommandUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #devices: DteCache;
  readonly #iotlb: IotlbTracker;
  readonly #events: EventWriter;
  readonly #eventLog: LogWriter;
  readonly #tick: PumpTick;
  #ring = 0;
  #mask = 0; // bytes of the buffer, less one
  #head = 0;
  #released = 0; // HEAD, which no one else writes while the buffer runs
  #running = false;
  #stopped = false; // an error stopped the buffer, and it has not been started since
  #starts = 0;
  #waitInterrupt = false;
  #blocked = false; // the command at the head waits
  #blockedAt = 0; // invalidations that were under way then: it may go on once they are fewer

  constructor(
    words: Words,
    base: number,
    ports: PriPortSet,
    devices: DteCache,
    iotlb: IotlbTracker,
    events: EventWriter,
    eventLog: LogWriter,
    tick: PumpTick,
  ) {
    this.#words = words;
    this.#base = base;
    this.#stats = base + AMD_STATS;
    this.#ports = ports;
    this.#devices = devices;
    this.#iotlb = iotlb;
    this.#events = events;
    this.#eventLog = eventLog;
    this.#tick = tick;
  }

  control(control: number): void {
    const starts = Atomics.load(this.#words, this.#base + AMD_CMD_STARTS);
    if (starts !== this.#starts) this.#stopped = false;
    this.#starts = starts;
    this.#waitInterrupt = (control & CONTROL_COMWAITINT_EN) !== 0;
    this.#iotlb.setTimeout((control & CONTROL_INV_TIMEOUT_MASK) >>> CONTROL_INV_TIMEOUT_SHIFT);
    const on = (control & CONTROL_IOMMU_EN) !== 0 && (control & CONTROL_CMDBUF_EN) !== 0 && !this.#stopped;
    if (on && !this.#running) this.#start();
    else if (!on && this.#running) this.#stop();
  }

  /** Consumes up to `budget` commands. @returns how many. */
  consume(budget: number): number {
    this.#giveUp();
    if (!this.#running) return 0;
    const tail = this.#tail(); // [C]
    let done = 0;
    let outcome = DONE;
    while (done < budget && this.#head !== tail) {
      outcome = this.#execute(this.#ring + (this.#head >>> 2));
      if (outcome !== DONE) break;
      this.#head = (this.#head + COMMAND_BYTES) & this.#mask;
      done++;
    }
    this.#blocked = outcome === BLOCKED;
    this.#blockedAt = this.#iotlb.underWay;
    this.#words[this.#stats + STAT_COMMANDS] += done;
    this.#release();
    if (outcome === STOPPED) this.#stop();
    return done;
  }

  /** Whether {@link consume} would get anywhere, looking afresh. A wait whose time runs out needs a pump to notice: who waits for it
   * rings now and then. */
  canConsume(): boolean {
    if (!this.#running || this.#head === this.#tail()) return false;
    return !this.#blocked || this.#iotlb.underWay < this.#blockedAt;
  }

  /** TAIL is software's, and may be nonsense: it is taken modulo the buffer, on a command. */
  #tail(): number {
    return Atomics.load(this.#words, this.#base + AMD_CMD_TAIL) & this.#mask & -COMMAND_BYTES;
  }

  #execute(at: number): number {
    const words = this.#words;
    switch (commandOp(words, at)) {
      case CMD_COMPLETE_PPR_REQUEST:
        return this.#respond(at);
      case CMD_COMPLETION_WAIT:
        return this.#wait(at);
      case CMD_INVALIDATE_DEVTAB_ENTRY:
        this.#devices.reload(commandDevice(words, at), 1);
        break;
      case CMD_INVALIDATE_IOTLB_PAGES:
        return this.#invalidateIotlb(at);
      case CMD_INVALIDATE_IOMMU_ALL:
        this.#devices.reload(0, this.#devices.devices);
        break;
      case CMD_INVALIDATE_IOMMU_PAGES: // the devices walk the tables themselves: there is no TLB here to empty
      case CMD_INVALIDATE_INTERRUPT_TABLE:
        break;
      default:
        this.#events.illegalCommand(at);
        return this.#fail();
    }
    words[this.#stats + STAT_INVALIDATIONS]++;
    return DONE;
  }

  /** The hardware does not look whether there was such a request: what software says goes out to the device. */
  #respond(at: number): number {
    const words = this.#words;
    const group = completePprGroup(words, at);
    const port = this.#ports.portOf(commandDevice(words, at), group);
    if (port < 0) words[this.#stats + STAT_STRAYS]++;
    else {
      const pasid = completePprPasid(words, at);
      const sent = this.#ports.respondTo(port, group, completePprStatus(words, at), pasid, this.#tick.now());
      words[this.#stats + (sent ? STAT_RESPONSES : STAT_UNDELIVERED)]++;
    }
    return DONE;
  }

  #invalidateIotlb(at: number): number {
    const outcome = this.#iotlb.send(at, this.#tick.now());
    if (outcome === IOTLB_BUSY) return BLOCKED;
    if (outcome === IOTLB_NOBODY) this.#words[this.#stats + STAT_STRAYS]++;
    this.#words[this.#stats + STAT_INVALIDATIONS]++;
    return DONE;
  }

  /** Done when all that came before is: responses are with the devices, invalidations are complete or given up. */
  #wait(at: number): number {
    const words = this.#words;
    if (this.#iotlb.underWay !== 0) return BLOCKED;
    const wordAt = waitWordAt(words, at);
    const stores = waitStores(words, at);
    if (stores && (wordAt === 0 || wordAt + 1 >= words.length)) {
      this.#events.command(EVENT_COMMAND_HARDWARE_ERROR, 0, words[at] & ~7, waitAddressHigh(words, at));
      return this.#fail();
    }
    words[this.#stats + STAT_WAITS]++;
    this.#ports.flush();
    this.#eventLog.publish();
    if (stores) {
      words[wordAt + 1] = words[at + 3];
      Atomics.store(words, wordAt, words[at + 2]); // [D]
      Atomics.notify(words, wordAt); // it is a control path, and the waiter's address is software's choice: nothing says whether it sleeps
    }
    if (waitInterrupts(words, at) && this.#waitInterrupt) this.#eventLog.set(STATUS_COMWAIT_INT);
    return DONE;
  }

  #fail(): number {
    this.#words[this.#stats + STAT_COMMAND_ERRORS]++;
    this.#stopped = true;
    return STOPPED;
  }

  /** Invalidations whose time is over: an event each. What waited for them goes on (that it does so is not verified). */
  #giveUp(): void {
    if (this.#iotlb.underWay === 0) return;
    for (let slot = this.#iotlb.expire(this.#tick.now()); slot >= 0; slot = this.#iotlb.expire(this.#tick.now())) {
      this.#words[this.#stats + STAT_IOTLB_TIMEOUTS]++;
      this.#events.command(EVENT_IOTLB_INV_TIMEOUT, this.#iotlb.deviceOf(slot), this.#iotlb.commandOf(slot), 0);
    }
  }

  #release(): void {
    if (this.#head === this.#released) return;
    this.#released = this.#head;
    Atomics.store(this.#words, this.#base + AMD_CMD_HEAD, this.#head); // [R] [W]
    if (Atomics.load(this.#words, this.#base + AMD_CMD_PARKED) !== 0)
      Atomics.notify(this.#words, this.#base + AMD_CMD_HEAD); // [W]
  }

  /** A reserved length, or a buffer outside memory, does not start. */
  #start(): void {
    const entries = baseEntries(this.#words, this.#base + AMD_CMD_BASE);
    const ring = baseWordAt(this.#words, this.#base + AMD_CMD_BASE);
    if (entries === 0 || ring === 0 || ring + entries * COMMAND_WORDS > this.#words.length) return;
    this.#ring = ring;
    this.#mask = entries * COMMAND_BYTES - 1;
    this.#head = this.#released = Atomics.load(this.#words, this.#base + AMD_CMD_HEAD) & this.#mask & -COMMAND_BYTES;
    this.#running = true;
    Atomics.or(this.#words, this.#base + AMD_STATUS, STATUS_CMD_RUN);
  }

  /** What was consumed is released first: HEAD stands at the next command when RUN is gone. */
  #stop(): void {
    this.#running = false;
    Atomics.and(this.#words, this.#base + AMD_STATUS, ~STATUS_CMD_RUN);
    if (Atomics.load(this.#words, this.#base + AMD_CMD_PARKED) !== 0)
      Atomics.notify(this.#words, this.#base + AMD_CMD_HEAD); // who waits for room looks for errors
  }
}
