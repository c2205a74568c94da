import type { Words } from '@faultline/core/sync';
import type { EventWriter } from './event-writer.ts';
import {
  EVT_C_BAD_STE,
  EVT_C_BAD_STREAMID,
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_BAD_ATS_TREQ,
  EVT_F_CD_FETCH,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSL_FORBIDDEN,
  EVT_F_TRANSLATION,
  substreamBits,
  writeConfigurationEvent,
  writeFetchEvent,
  writeRefusedAddress,
} from './events.ts';
import { SMMU_CR2 } from './layout.ts';
import { CR0_ATSCHK, CR0_SMMUEN, CR2_REC_CFG_ATS, CR2_RECINVSID } from './registers.ts';
import { EATS_FULL, EATS_SPLIT, STE_CONFIG_BYPASS } from './ste.ts';
import type { StreamCache } from './stream-cache.ts';

// What an endpoint's ATS meets (IHI 0070, 3.9.1): whether a Translation Request is answered at all, and whether a Translated access goes
// through. The translation itself, and the permissions it comes back with, are the walker's. A request never stalls: where the walk ends in a
// translation, access or address-size fault it succeeds with neither R nor W, and without an event.

/** Translate: Success, with what the walk gives. */
export const ATS_TRANSLATE = 0;
/** Unsupported Request: ATS is off for the stream. Recorded as F_BAD_ATS_TREQ, unless the stream's Config is abort. */
export const ATS_UNSUPPORTED = 1;
/** Completer Abort: the configuration is wrong. Recorded with CR2.REC_CFG_ATS alone. */
export const ATS_COMPLETER_ABORT = 2;

/** Context: the thread that plays the hardware. Records become visible with the hardware's next pump. */
export class AtsUnit {
  readonly #words: Words;
  readonly #base: number;
  readonly #events: EventWriter;
  readonly #streams: StreamCache;
  #control = 0; // CR0

  constructor(words: Words, base: number, events: EventWriter, streams: StreamCache) {
    this.#words = words;
    this.#base = base;
    this.#events = events;
    this.#streams = streams;
  }

  enable(control: number): void {
    this.#control = control;
  }

  /** A Translation Request. `substreamId` -1: without a PASID. @returns ATS_* */
  translationRequest(streamId: number, substreamId: number, pageLo: number, pageHi: number): number {
    if ((this.#control & CR0_SMMUEN) !== 0) {
      const config = this.#streams.config(streamId);
      if (config < 0) {
        const id = streamId >= this.#streams.streams ? EVT_C_BAD_STREAMID : EVT_C_BAD_STE;
        return this.#refuseConfiguration(id, streamId, substreamId);
      }
      if (config < STE_CONFIG_BYPASS) return ATS_UNSUPPORTED;
      if (config > STE_CONFIG_BYPASS && this.#isOn(streamId)) return this.#judge(streamId, substreamId);
    }
    this.#recordAddress(EVT_F_BAD_ATS_TREQ, streamId, substreamId, 0, pageLo, pageHi);
    return ATS_UNSUPPORTED;
  }

  /** A Translated access. @returns whether it goes through. If not, it is aborted and recorded as F_TRANSL_FORBIDDEN. */
  translatedAccess(streamId: number, substreamId: number, perm: number, pageLo: number, pageHi: number): boolean {
    if ((this.#control & CR0_SMMUEN) !== 0) {
      if ((this.#control & CR0_ATSCHK) === 0) return true;
      const config = this.#streams.config(streamId);
      if (config < STE_CONFIG_BYPASS) return false; // an entry that cannot be used, or abort: no event
      if (config > STE_CONFIG_BYPASS && this.#isOn(streamId)) return true;
    }
    this.#recordAddress(EVT_F_TRANSL_FORBIDDEN, streamId, substreamId, perm, pageLo, pageHi);
    return false;
  }

  /** Split-stage ATS counts with ATSCHK alone; the fourth encoding is that of device permission tables, which there are none of. */
  #isOn(streamId: number): boolean {
    const eats = this.#streams.eats(streamId);
    return eats === EATS_FULL || (eats === EATS_SPLIT && (this.#control & CR0_ATSCHK) !== 0);
  }

  #judge(streamId: number, substreamId: number): number {
    const route = this.#streams.route(streamId, substreamId);
    return route > 0 && route < EVT_F_TRANSLATION
      ? this.#refuseConfiguration(route, streamId, substreamId)
      : ATS_TRANSLATE;
  }

  #refuseConfiguration(id: number, streamId: number, substreamId: number): number {
    const cr2 = Atomics.load(this.#words, this.#base + SMMU_CR2);
    if ((cr2 & CR2_REC_CFG_ATS) === 0 || (id === EVT_C_BAD_STREAMID && (cr2 & CR2_RECINVSID) === 0))
      return ATS_COMPLETER_ABORT;
    const at = this.#events.claimOrDrop();
    if (at === 0) return ATS_COMPLETER_ABORT;
    const { fetchLo, fetchHi } = this.#streams;
    let bits = substreamBits(substreamId);
    if (id === EVT_C_BAD_SUBSTREAMID) bits = Math.max(0, substreamId) << 12;
    if (id === EVT_F_STREAM_DISABLED) bits = 0;
    if (id === EVT_F_CD_FETCH) writeFetchEvent(this.#words, at, id, streamId, bits, fetchLo, fetchHi);
    else writeConfigurationEvent(this.#words, at, id, streamId, bits);
    return ATS_COMPLETER_ABORT;
  }

  #recordAddress(
    id: number,
    streamId: number,
    substreamId: number,
    perm: number,
    pageLo: number,
    pageHi: number,
  ): void {
    const at = this.#events.claimOrDrop();
    if (at !== 0) writeRefusedAddress(this.#words, at, id, streamId, substreamBits(substreamId), perm, pageLo, pageHi);
  }
}
