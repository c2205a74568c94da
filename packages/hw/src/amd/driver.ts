import type { Words } from '@faultline/core/sync';
import { type Procedure, runProcedure } from '../procedure/procedure.ts';
import type { AmdAttach } from './attach.ts';
import type { AmdDeviceOptions } from './device-tables.ts';
import type { AmdFeatures } from './features.ts';
import { type AmdDriverConfig, AmdProcedures } from './procedures.ts';
import type { AmdEnableOptions } from './switch-procedures.ts';

/** Control of an AMD IOMMU for an event loop: each call is a procedure of AmdProcedures, awaited. One at a time. Blocks for no longer than
 * others hold the command buffer's mutex. */
export class AmdDriver {
  readonly #words: Words;
  readonly #procedures: AmdProcedures;

  /** @throws IommuError EINVAL when `base` holds no AMD IOMMU. */
  constructor(words: Words, base: number, config: AmdDriverConfig) {
    this.#words = words;
    this.#procedures = new AmdProcedures(words, base, config);
  }

  /** @see AmdProcedures.probe */
  probe(): AmdFeatures {
    return this.#procedures.probe();
  }
  /** @see AmdProcedures.bindDevice */
  bindDevice(deviceId: number, device: number, options?: AmdDeviceOptions): void {
    this.#procedures.bindDevice(deviceId, device, options);
  }
  /** @see AmdProcedures.enable */
  enable(options?: AmdEnableOptions): Promise<void> {
    return this.#run(this.#procedures.enable(options));
  }
  /** @see AmdProcedures.disable */
  disable(): Promise<void> {
    return this.#run(this.#procedures.disable());
  }
  /** @see AmdProcedures.switchPageRequests */
  switchPageRequests(on: boolean): Promise<void> {
    return this.#run(this.#procedures.switchPageRequests(on));
  }
  /** @see AmdProcedures.unbindDevice */
  unbindDevice(deviceId: number): Promise<void> {
    return this.#run(this.#procedures.unbindDevice(deviceId));
  }
  /** @see AmdProcedures.attach */
  attach(deviceId: number, attach: AmdAttach): Promise<void> {
    return this.#run(this.#procedures.attach(deviceId, attach));
  }
  /** @see AmdProcedures.attachPasid */
  attachPasid(deviceId: number, pasid: number, rootPage: number): Promise<void> {
    return this.#run(this.#procedures.attachPasid(deviceId, pasid, rootPage));
  }
  /** @see AmdProcedures.detachPasid */
  detachPasid(deviceId: number, pasid: number): Promise<void> {
    return this.#run(this.#procedures.detachPasid(deviceId, pasid));
  }
  /** @see AmdProcedures.enablePri */
  enablePri(deviceId: number, wanted?: number): Promise<void> {
    return this.#run(this.#procedures.enablePri(deviceId, wanted));
  }
  /** @see AmdProcedures.disablePri */
  disablePri(deviceId: number): Promise<void> {
    return this.#run(this.#procedures.disablePri(deviceId));
  }
  /** @see AmdProcedures.blockDevice */
  blockDevice(deviceId: number): Promise<void> {
    return this.#run(this.#procedures.blockDevice(deviceId));
  }
  /** @see AmdProcedures.invalidate */
  invalidate(domain: number, pasid: number, first: number, last: number, deviceIds: readonly number[]): Promise<void> {
    return this.#run(this.#procedures.invalidate(domain, pasid, first, last, deviceIds));
  }
  /** @see AmdProcedures.fenceEventQueue */
  fenceEventQueue(deviceIds?: readonly number[]): Promise<void> {
    return this.#run(this.#procedures.fenceEventQueue(deviceIds));
  }
  /** @see AmdProcedures.fenceResponses */
  fenceResponses(): Promise<void> {
    return this.#run(this.#procedures.fenceResponses());
  }

  #run(procedure: Procedure): Promise<void> {
    return runProcedure(this.#words, procedure);
  }
}
