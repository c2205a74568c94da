import type { Words } from '@faultline/core/sync';
import type { PriPortSet } from '../pcie/pri-port-set.ts';
import type { PumpTick } from '../queue/pump-tick.ts';
import { CommandRing, NO_COMMAND } from './command-ring.ts';
import {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_COMPLETION_WAIT,
  CMD_INVALIDATE_DEVTAB_ENTRY,
  CMD_INVALIDATE_INTERRUPT_TABLE,
  CMD_INVALIDATE_IOMMU_ALL,
  CMD_INVALIDATE_IOMMU_PAGES,
  CMD_INVALIDATE_IOTLB_PAGES,
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
import { AMD_STATS } from './layout.ts';
import type { LogWriter } from './log-writer.ts';
import {
  CONTROL_COMWAITINT_EN,
  CONTROL_INV_TIMEOUT_MASK,
  CONTROL_INV_TIMEOUT_SHIFT,
  STATUS_COMWAIT_INT,
} from './registers.ts';
import {
  STAT_COMMAND_ERRORS,
  STAT_COMMANDS,
  STAT_INVALIDATIONS,
  STAT_IOTLB_TIMEOUTS,
  STAT_RESPONSES,
  STAT_STRAYS,
  STAT_UNDELIVERED,
  STAT_WAITS,
} from './stats.ts';

// Executes commands. They take effect here and now, but for invalidations of devices' caches, whose completions COMPLETION_WAIT waits for.
// Later commands are not begun before it is done, whether its F bit asks for that or not. A command that is illegal, or whose store cannot be
// made, stops the buffer, and an event says where.
//
// Ordering, besides command-ring.ts's.
//   [D] COMPLETION_WAIT: effects, then its store     pairs with  AmdOps: the stored word, then whatever it was to order

const DONE = 0;
/** Not yet: an invalidation it waits for, or needs a tag of, is under way. */
const BLOCKED = 1;
const STOPPED = 2;

export class CommandUnit {
  readonly #words: Words;
  readonly #stats: number;
  readonly #ports: PriPortSet;
  readonly #devices: DteCache;
  readonly #iotlb: IotlbTracker;
  readonly #events: EventWriter;
  readonly #eventLog: LogWriter;
  readonly #tick: PumpTick;
  readonly #ring: CommandRing;
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
    this.#stats = base + AMD_STATS;
    this.#ports = ports;
    this.#devices = devices;
    this.#iotlb = iotlb;
    this.#events = events;
    this.#eventLog = eventLog;
    this.#tick = tick;
    this.#ring = new CommandRing(words, base);
  }

  control(control: number): void {
    this.#waitInterrupt = (control & CONTROL_COMWAITINT_EN) !== 0;
    this.#iotlb.setTimeout((control & CONTROL_INV_TIMEOUT_MASK) >>> CONTROL_INV_TIMEOUT_SHIFT);
    this.#ring.control(control);
  }

  /** Consumes up to `budget` commands. @returns how many. */
  consume(budget: number): number {
    this.#giveUp();
    const ring = this.#ring;
    let done = 0;
    let outcome = DONE;
    if (!ring.look()) return done;
    for (let at = ring.peek(); done < budget && at !== NO_COMMAND; at = ring.peek()) {
      outcome = this.#execute(at);
      if (outcome !== DONE) break;
      ring.next();
      done++;
    }
    this.#blocked = outcome === BLOCKED;
    this.#blockedAt = this.#iotlb.underWay;
    this.#words[this.#stats + STAT_COMMANDS] += done;
    if (outcome === STOPPED) ring.fail();
    else ring.release();
    return done;
  }

  /** Whether {@link consume} would get anywhere, looking afresh. A wait whose time runs out needs a pump to notice: who waits for it
   * rings now and then. */
  canConsume(): boolean {
    if (!this.#ring.look()) return false;
    return !this.#blocked || this.#iotlb.underWay < this.#blockedAt;
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
}
