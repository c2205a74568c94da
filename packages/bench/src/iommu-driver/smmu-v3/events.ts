// What the SMMU's event queue means to user space: stalls go to the fault path, what a guest may know of its own stream to its event queue.
import { ERRNO, IommuError } from '@faultline/core/errors';
import { FAULT_DEVICE, FAULT_FLAG_PASID_VALID, FAULT_FLAGS, type FaultReporter } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { EVENT_WORDS, EventPump, type PumpOutcome, type SmmuOps } from '@faultline/hw/smmu-v3';
import { VirtualEventRouter, type VirtualEventSink } from '@faultline/hw/smmu-v3/virtual';
import { FAULT_FLAG_USER_PASID, type Machine, reportEvent, VEVENTQ_TYPE_ARM_SMMUV3 } from '@faultline/iommufd';
import { DOMAIN_NESTED } from '../common/index.ts';
import type { SmmuIommufdDriver } from './driver.ts';
import { SCRATCH_EVENT, SMMU_REGION, VSMMU_VIOMMU } from './layout.ts';
import { scratchAt } from './region.ts';

/** A guest's event queue by its vSMMU. */
class GuestEvents implements VirtualEventSink {
  readonly #machine: Machine;
  readonly #driver: SmmuIommufdDriver;

  constructor(machine: Machine, driver: SmmuIommufdDriver) {
    this.#machine = machine;
    this.#driver = driver;
  }

  reportEvent(vsmmu: number, recordAt: number): number {
    const { words } = this.#machine;
    const viommu = words[this.#driver.viommus.rowAt(vsmmu) + VSMMU_VIOMMU];
    const bytes = new Uint8Array(words.slice(recordAt, recordAt + EVENT_WORDS).buffer);
    try {
      reportEvent(this.#machine, viommu, VEVENTQ_TYPE_ARM_SMMUV3, bytes);
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      return error.code === 'ENOMEM' ? 0 : -ERRNO[error.code]; // lost, and its reader is told
    }
    return 0;
  }
}

/** Faults of a device with a guest's table of PASIDs are the nested domain's, whichever PASID they name. */
class GuestPasids implements FaultReporter {
  readonly #machine: Machine;
  readonly #driver: SmmuIommufdDriver;

  constructor(machine: Machine, driver: SmmuIommufdDriver) {
    this.#machine = machine;
    this.#driver = driver;
  }

  prepareFault(): number {
    return this.#machine.path.prepareFault();
  }
  reportDeviceFault(recordAt: number): number {
    const { words, path } = this.#machine;
    const { attachments, domains } = this.#driver;
    const domain = attachments.attached.domainOf(words[recordAt + FAULT_DEVICE], 0);
    if (domain !== 0 && domains.kindOf(domain) === DOMAIN_NESTED) {
      const flags = words[recordAt + FAULT_FLAGS];
      if ((flags & FAULT_FLAG_PASID_VALID) !== 0)
        words[recordAt + FAULT_FLAGS] = (flags & ~FAULT_FLAG_PASID_VALID) | FAULT_FLAG_USER_PASID;
    }
    return path.reportDeviceFault(recordAt);
  }
  endBatch(): void {
    this.#machine.path.endBatch();
  }
}

/** The event pump of an SMMU behind iommufd. One, in the thread that takes its interrupt: it runs online ({@link Machine.answering}). */
export class SmmuEvents {
  readonly #machine: Machine;
  readonly #pump: EventPump;

  /** @param ops the thread's own command queue. @param onEvent told of what is nobody's but the host's. */
  constructor(
    arena: Arena,
    machine: Machine,
    driver: SmmuIommufdDriver,
    ops: SmmuOps,
    onEvent: (outcome: PumpOutcome) => void = () => {},
  ) {
    const recordAt = scratchAt(arena, machine.self.id) + SCRATCH_EVENT;
    this.#machine = machine;
    this.#pump = new EventPump(arena.words, arena.base(SMMU_REGION), {
      reporter: new GuestPasids(machine, driver),
      ops,
      router: new VirtualEventRouter(driver.area, machine.self, new GuestEvents(machine, driver), recordAt),
      onEvent,
    });
  }

  /** Takes up to `budget` records. @returns how many. */
  pump(budget: number): number {
    if (!this.#pump.needsWork()) return 0;
    return this.#machine.answering(() => this.#pump.pump(budget));
  }

  needsWork(): boolean {
    return this.#pump.needsWork();
  }

  counts(): Record<PumpOutcome, number> {
    return this.#pump.counts();
  }
}
