import type { Doorbell, Words } from '@faultline/core/sync';
import type { Procedure } from '../procedure/procedure.ts';
import type { AmdOps } from './amd-ops.ts';
import type { AmdAttach } from './attach.ts';
import { AttachProcedures } from './attach-procedures.ts';
import { type AmdDeviceOptions, DeviceTables } from './device-tables.ts';
import type { AmdFeatures } from './features.ts';
import { FenceProcedures } from './fence-procedures.ts';
import { HardwareWaits } from './hardware-waits.ts';
import { checkAmd } from './layout.ts';
import { type AmdEnableOptions, SwitchProcedures } from './switch-procedures.ts';

export interface AmdDriverConfig {
  /** This thread's own. */
  readonly ops: AmdOps;
  readonly hardwareDoorbell: Doorbell;
  /** How long to wait for the hardware, or for the event pump. Default 10 s. */
  readonly timeoutMs?: number;
}

/** What an AMD driver does, step by step and in which order: switches, attaching, fences. Each procedure is a generator, so that an event
 * loop awaits what a thread with nothing else to do steps through. One procedure at a time. @see Linux drivers/iommu/amd/{init,iommu,ppr}.c */
export class AmdProcedures {
  readonly #tables: DeviceTables;
  readonly #switches: SwitchProcedures;
  readonly #attaching: AttachProcedures;
  readonly #fences: FenceProcedures;

  /** @throws IommuError EINVAL when `base` holds no AMD IOMMU. */
  constructor(words: Words, base: number, config: AmdDriverConfig) {
    checkAmd(words, base, 'AmdProcedures');
    const { ops, hardwareDoorbell, timeoutMs = 10_000 } = config;
    const waits = new HardwareWaits(words, base, hardwareDoorbell, timeoutMs);
    this.#tables = new DeviceTables(words, base);
    this.#switches = new SwitchProcedures(words, base, waits, this.#tables);
    this.#attaching = new AttachProcedures(ops, this.#tables, () => this.#switches.probe());
    this.#fences = new FenceProcedures(words, base, ops, waits, this.#tables);
  }

  /** @see SwitchProcedures.probe */
  probe(): AmdFeatures {
    return this.#switches.probe();
  }
  /** @see SwitchProcedures.enable */
  enable(options: AmdEnableOptions = {}): Procedure {
    return this.#switches.enable(options);
  }
  /** @see SwitchProcedures.disable */
  disable(): Procedure {
    return this.#switches.disable();
  }
  /** @see SwitchProcedures.switchPageRequests */
  switchPageRequests(on: boolean): Procedure {
    return this.#switches.switchPageRequests(on);
  }

  /** Takes a device id for `device` (index in the core's device table). It is blocked until attached.
   * @throws IommuError ENODEV outside the device table, EBUSY when it has a driver, EINVAL */
  bindDevice(deviceId: number, device: number, options: AmdDeviceOptions = {}): void {
    this.#tables.bind(deviceId, device, options);
  }
  /** @see AttachProcedures.unbind */
  unbindDevice(deviceId: number): Procedure {
    return this.#attaching.unbind(deviceId);
  }
  /** @see AttachProcedures.attach */
  attach(deviceId: number, attach: AmdAttach): Procedure {
    return this.#attaching.attach(deviceId, attach);
  }
  /** @see AttachProcedures.block */
  blockDevice(deviceId: number): Procedure {
    return this.#attaching.block(deviceId);
  }
  /** @see AttachProcedures.attachPasid */
  attachPasid(deviceId: number, pasid: number, rootPage: number): Procedure {
    return this.#attaching.attachPasid(deviceId, pasid, rootPage);
  }
  /** @see AttachProcedures.detachPasid */
  detachPasid(deviceId: number, pasid: number): Procedure {
    return this.#attaching.detachPasid(deviceId, pasid);
  }
  /** @see AttachProcedures.enablePri */
  enablePri(deviceId: number, wanted: number = 32): Procedure {
    return this.#attaching.enablePri(deviceId, wanted);
  }
  /** @see AttachProcedures.disablePri */
  disablePri(deviceId: number): Procedure {
    return this.#attaching.disablePri(deviceId);
  }

  /** @see FenceProcedures.invalidate */
  invalidate(domain: number, pasid: number, first: number, last: number, deviceIds: readonly number[]): Procedure {
    return this.#fences.invalidate(domain, pasid, first, last, deviceIds);
  }
  /** @see FenceProcedures.fenceEventQueue */
  fenceEventQueue(deviceIds?: readonly number[]): Procedure {
    return this.#fences.fenceEventQueue(deviceIds);
  }
  /** @see FenceProcedures.fenceResponses */
  fenceResponses(): Procedure {
    return this.#fences.fenceResponses();
  }
}
