import type { Words } from '@faultline/core/sync';
import { type Procedure, runProcedure } from '../procedure/procedure.ts';
import type { VtdDomain } from './attachments.ts';
import type { VtdFeatures } from './probe.ts';
import { VtdProcedures, type VtdProceduresConfig } from './procedures.ts';

/** Control of a VT-d unit for an event loop: each call is a procedure of VtdProcedures, awaited. One at a time. Blocks for no longer than
 * others hold the invalidation queue's mutex. */
export class VtdDriver {
  readonly #words: Words;
  readonly #procedures: VtdProcedures;

  /** @throws IommuError EINVAL when `base` holds no unit. */
  constructor(words: Words, base: number, config: VtdProceduresConfig) {
    this.#words = words;
    this.#procedures = new VtdProcedures(words, base, config);
  }

  /** @see VtdProcedures.passedOver */
  get passedOver(): number {
    return this.#procedures.passedOver;
  }
  /** @see probeVtd */
  probe(): VtdFeatures {
    return this.#procedures.probe();
  }
  /** @see VtdProcedures.enable */
  enable(): Promise<void> {
    return this.#run(this.#procedures.enable());
  }
  /** @see VtdProcedures.disable */
  disable(): Promise<void> {
    return this.#run(this.#procedures.disable());
  }
  /** @see VtdProcedures.maskPageRequests */
  maskPageRequests(masked: boolean): void {
    this.#procedures.maskPageRequests(masked);
  }
  /** @see VtdProcedures.attachDevice */
  attachDevice(rid: number, device: number): Promise<void> {
    return this.#run(this.#procedures.attachDevice(rid, device));
  }
  /** @see VtdProcedures.detachDevice */
  detachDevice(rid: number): Promise<void> {
    return this.#run(this.#procedures.detachDevice(rid));
  }
  /** @see VtdProcedures.surpriseRemove */
  surpriseRemove(rid: number): void {
    this.#procedures.surpriseRemove(rid);
  }
  /** @see VtdProcedures.attach */
  attach(rid: number, pasid: number, domain: VtdDomain): Promise<void> {
    return this.#run(this.#procedures.attach(rid, pasid, domain));
  }
  /** @see VtdProcedures.replace */
  replace(rid: number, pasid: number, domain: VtdDomain): Promise<void> {
    return this.#run(this.#procedures.replace(rid, pasid, domain));
  }
  /** @see VtdProcedures.detach */
  detach(rid: number, pasid: number): Promise<void> {
    return this.#run(this.#procedures.detach(rid, pasid));
  }
  /** @see VtdProcedures.blockRid */
  blockRid(rid: number, order?: 'fence-first' | 'remove-first'): Promise<void> {
    return this.#run(this.#procedures.blockRid(rid, order));
  }
  /** @see VtdProcedures.drain */
  drain(rid: number, pasid: number, did: number): Promise<boolean> {
    return this.#run(this.#procedures.drain(rid, pasid, did));
  }
  /** @see VtdProcedures.blockDevice */
  blockDevice(rid: number): Promise<void> {
    return this.#run(this.#procedures.blockDevice(rid));
  }
  /** @see VtdProcedures.fenceEventQueue */
  fenceEventQueue(rid: number): Promise<void> {
    return this.#run(this.#procedures.fenceEventQueue(rid));
  }
  /** @see VtdProcedures.fenceResponses */
  fenceResponses(rid: number): Promise<void> {
    return this.#run(this.#procedures.fenceResponses(rid));
  }
  /** @see VtdProcedures.disablePri */
  disablePri(rid: number): Promise<void> {
    return this.#run(this.#procedures.disablePri(rid));
  }

  #run<T>(procedure: Procedure<T>): Promise<T> {
    return runProcedure(this.#words, procedure);
  }
}
