import type { Words } from '@faultline/core/sync';
import type { FieldValues } from '../record/fields.ts';
import { CD_LEAF_4K_LG2, CD_LEAF_64K_LG2, CD_WORDS, cdIllegal, decodeCd, L1CD_WORDS } from './cd.ts';
import {
  EVT_C_BAD_CD,
  EVT_C_BAD_STE,
  EVT_C_BAD_STREAMID,
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_CD_FETCH,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSLATION,
} from './events.ts';
import { readIdrs } from './id-registers.ts';
import { SMMU_CR2, SMMU_IDRS, SMMU_STREAMS, STE_WORDS, streamEntryAt } from './layout.ts';
import { CR2_RECINVSID } from './registers.ts';
import {
  decodeSte,
  S1DSS_BYPASS,
  S1DSS_SSID0,
  S1DSS_TERMINATE,
  S1FMT_4K_L2,
  S1FMT_64K_L2,
  STE_CONFIG_BYPASS,
  STE_CONFIG_NESTED,
  steIllegal,
} from './ste.ts';

// What the hardware keeps of the stream table and of the context descriptors. It reads a stream table entry when it starts and at
// CMD_CFGI_STE, and at no other time; a descriptor, valid or not, when an access first needs it, and again only after CMD_CFGI_CD,
// CMD_CFGI_CD_ALL or CMD_CFGI_STE. A driver that forgets to invalidate goes on with what was, as it may on real hardware.

/** What becomes of an access that missed. Positive values are event numbers: the access ends with that record. */
export const ROUTE_STALL = 0;
export const ROUTE_ABORT = -1;
export const ROUTE_BYPASS = -2;
/** The fault is stage 2's, and stalls. */
export const ROUTE_STALL_S2 = -3;
/** Added to F_TRANSLATION: the fault is stage 2's. */
export const ROUTE_S2 = 0x100;

/** {@link StreamCache.ppar} of a stream whose entry cannot be used. */
export const PPAR_UNKNOWN = -1;

const KIND = 0; // KIND_*, or the route of every access
const CD_MAX = 1;
const DSS = 2;
const STAGE2 = 3; // route of a stage-2 fault, or 0 without stage 2
const FLAGS = 4;
const ENTRY = 8;
const KIND_S1 = 0x200;
const KIND_BYPASS = 0x201;
const KIND_S2 = 0x202;
const BYTES = 4; // of a word
const FLAG_PPAR = 1;
const FLAG_VALID = 2;
const EATS_SHIFT = 2;
const CONFIG_SHIFT = 4;

/** Where guests keep their context descriptors. */
export interface GuestTables {
  /** Reads `count` words at an intermediate address, within a page. @returns false: the entry's stage 2 leads nowhere. */
  read(ste: FieldValues, address: number, into: Int32Array, count: number): boolean;
}

const CACHE_LG2 = 10;
const CACHED = 4; // StreamID, SubstreamID + 1 (0: empty), route; one entry is 16 bytes

export class StreamCache {
  readonly #words: Words;
  readonly #base: number;
  readonly #idrs: FieldValues;
  readonly #entries: Int32Array;
  readonly #ste: FieldValues[]; // what a descriptor is judged by; read when one is fetched
  readonly #cached: Int32Array = new Int32Array(CACHED << CACHE_LG2); // descriptors by (StreamID, SubstreamID), direct-mapped
  readonly #contexts: (FieldValues | undefined)[] = new Array(1 << CACHE_LG2); // what they say, where they can be used
  readonly #guest: GuestTables | undefined;
  readonly #read: Int32Array = new Int32Array(CD_WORDS);
  readonly streams: number;
  /** Byte address of the descriptor that the last F_CD_FETCH could not read. */
  fetchLo = 0;
  fetchHi = 0;

  /** @param guest where descriptors are of which stage 2 translates the address. Default: in the SMMU's own memory, untranslated. */
  constructor(words: Words, base: number, guest?: GuestTables) {
    this.#words = words;
    this.#base = base;
    this.#guest = guest;
    this.#idrs = readIdrs(words, base + SMMU_IDRS);
    this.streams = words[base + SMMU_STREAMS];
    this.#entries = new Int32Array(this.streams * ENTRY);
    this.#ste = new Array(this.streams);
    this.reload(0, this.streams);
  }

  /** CMD_CFGI_STE and CMD_CFGI_STE_RANGE: reads `count` entries from `first` on afresh, and forgets their descriptors. Streams outside the
   * table are not there to be read. */
  reload(first: number, count: number): void {
    const end = Math.min(first + count, this.streams);
    for (let stream = first; stream < end; stream++) this.#load(stream);
    for (let at = 0; at < this.#cached.length; at += CACHED) {
      const stream = this.#cached[at];
      if (stream >= first && stream < end) this.#cached[at + 1] = 0;
    }
  }

  /** CMD_CFGI_CD: forgets one descriptor. */
  forget(streamId: number, substreamId: number): void {
    const at = slotOf(streamId, substreamId);
    if (this.#cached[at] === (streamId | 0) && this.#cached[at + 1] === substreamId + 1) this.#cached[at + 1] = 0;
  }

  /** CMD_CFGI_CD_ALL: forgets the stream's descriptors. */
  forgetAll(streamId: number): void {
    for (let at = 0; at < this.#cached.length; at += CACHED)
      if (this.#cached[at] === (streamId | 0)) this.#cached[at + 1] = 0;
  }

  /** CMD_PREFETCH_CONFIG: reads what an access would need. Records nothing. */
  prefetch(streamId: number, substreamId: number): void {
    if (streamId < this.streams) this.route(streamId, substreamId);
  }

  /** Route of an access of `streamId` (u32) with `substreamId`, or -1 for none. Errors in the architecture's order of priority (7.3.22). */
  route(streamId: number, substreamId: number): number {
    if (streamId >= this.streams) {
      const recorded = (Atomics.load(this.#words, this.#base + SMMU_CR2) & CR2_RECINVSID) !== 0;
      return recorded ? EVT_C_BAD_STREAMID : ROUTE_ABORT;
    }
    const kind = this.#entries[streamId * ENTRY + KIND];
    if (kind === KIND_S1) return this.#routeStage1(streamId, substreamId);
    if (kind < KIND_S1) return kind;
    if (substreamId >= 0) return EVT_C_BAD_SUBSTREAMID;
    return kind === KIND_BYPASS ? ROUTE_BYPASS : this.#entries[streamId * ENTRY + STAGE2];
  }

  /** STE.PPAR of a stream: whether an automatic response carries the request's PASID. @returns 0, 1 or PPAR_UNKNOWN. */
  ppar(streamId: number): number {
    if (streamId >= this.streams) return PPAR_UNKNOWN;
    const flags = this.#entries[streamId * ENTRY + FLAGS];
    return (flags & FLAG_VALID) === 0 ? PPAR_UNKNOWN : flags & FLAG_PPAR;
  }

  /** STE.EATS of a stream whose entry can be used. */
  eats(streamId: number): number {
    return (this.#entries[streamId * ENTRY + FLAGS] >>> EATS_SHIFT) & 3;
  }

  /** STE.Config of a stream, or -1 where its entry cannot be used. */
  config(streamId: number): number {
    if (streamId >= this.streams) return -1;
    const flags = this.#entries[streamId * ENTRY + FLAGS];
    return (flags & FLAG_VALID) === 0 ? -1 : flags >>> CONFIG_SHIFT;
  }

  /** Fields of a stream's entry, undefined outside the table. */
  ste(streamId: number): FieldValues | undefined {
    return this.#ste[streamId];
  }

  /** Whether accesses of a stream that has stage 1 pass it by: S1DSS says so of those without a substream. */
  skipsStage1(streamId: number, substreamId: number): boolean {
    const at = streamId * ENTRY;
    return substreamId < 0 && this.#entries[at + CD_MAX] !== 0 && this.#entries[at + DSS] === S1DSS_BYPASS;
  }

  /** Fields of the descriptor by which {@link route} has just judged, undefined where it cannot be used. */
  context(streamId: number, index: number): FieldValues | undefined {
    const at = slotOf(streamId, index);
    const isIt = this.#cached[at + 1] === index + 1 && this.#cached[at] === (streamId | 0);
    return isIt ? this.#contexts[at / CACHED] : undefined;
  }

  /** Route of a fault of stage 2 where stage 1 has translated; ROUTE_ABORT for a stream without. */
  stage2Route(streamId: number): number {
    if (streamId >= this.streams) return ROUTE_ABORT;
    return this.#entries[streamId * ENTRY + STAGE2] || ROUTE_ABORT;
  }

  #load(stream: number): void {
    const from = streamEntryAt(this.#words, this.#base, 0) + stream * STE_WORDS;
    const at = stream * ENTRY;
    const ste = decodeSte(this.#words, from);
    const legal = steIllegal(ste, this.#idrs) === '';
    this.#ste[stream] = ste;
    this.#entries[at + CD_MAX] = ste.s1CDMax;
    this.#entries[at + DSS] = ste.s1DSS;
    this.#entries[at + STAGE2] = stage2Route(ste);
    this.#entries[at + KIND] = legal ? kindOf(ste) : EVT_C_BAD_STE;
    this.#entries[at + FLAGS] =
      (legal ? FLAG_VALID : 0) | (ste.ppar * FLAG_PPAR) | (ste.eats << EATS_SHIFT) | (ste.config << CONFIG_SHIFT);
  }

  #routeStage1(streamId: number, substreamId: number): number {
    const at = streamId * ENTRY;
    const log2 = this.#entries[at + CD_MAX];
    const dss = this.#entries[at + DSS];
    if (substreamId >= 0) {
      if (log2 === 0 || substreamId >= 2 ** log2) return EVT_C_BAD_SUBSTREAMID;
      if (substreamId === 0 && dss === S1DSS_SSID0) return EVT_F_STREAM_DISABLED; // descriptor 0 is for traffic without a substream
      return this.#routeContext(streamId, substreamId);
    }
    if (log2 !== 0 && dss === S1DSS_TERMINATE) return EVT_F_STREAM_DISABLED;
    if (log2 !== 0 && dss === S1DSS_BYPASS) return this.#entries[at + STAGE2] || ROUTE_BYPASS;
    return this.#routeContext(streamId, 0);
  }

  #routeContext(streamId: number, index: number): number {
    const at = slotOf(streamId, index);
    if (this.#cached[at + 1] === index + 1 && this.#cached[at] === streamId) return this.#cached[at + 2];
    const route = this.#fetch(streamId, index);
    if (route === EVT_F_CD_FETCH) return route; // nothing was read
    this.#cached[at] = streamId;
    this.#cached[at + 1] = index + 1;
    this.#cached[at + 2] = route;
    return route;
  }

  /** Reads and judges a descriptor. Addresses are in bytes: exact, as they are multiples of 8 below 2^56. */
  #fetch(streamId: number, index: number): number {
    const ste = this.#ste[streamId];
    const read = this.#read;
    let table = ste.s1ContextPtrHi * 2 ** 32 + ste.s1ContextPtrLo;
    let inTable = index;
    this.#contexts[slotOf(streamId, index) / CACHED] = undefined;
    if (ste.s1CDMax > 0 && (ste.s1Fmt === S1FMT_4K_L2 || ste.s1Fmt === S1FMT_64K_L2)) {
      const leafLg2 = ste.s1Fmt === S1FMT_4K_L2 ? CD_LEAF_4K_LG2 : CD_LEAF_64K_LG2;
      if (!this.#readAt(ste, table + (index >>> leafLg2) * L1CD_WORDS * BYTES, L1CD_WORDS)) return EVT_F_CD_FETCH;
      if ((read[0] & 1) === 0) return EVT_C_BAD_SUBSTREAMID;
      table = (read[1] & 0xffffff) * 2 ** 32 + ((read[0] & -4096) >>> 0);
      inTable = index & ((1 << leafLg2) - 1);
    }
    if (!this.#readAt(ste, table + inTable * CD_WORDS * BYTES, CD_WORDS)) return EVT_F_CD_FETCH;
    const cd = decodeCd(read, 0);
    if (cdIllegal(cd, ste, this.#idrs) !== '') return EVT_C_BAD_CD;
    this.#contexts[slotOf(streamId, index) / CACHED] = cd;
    if (cd.s === 1) return ROUTE_STALL;
    return cd.r === 1 ? EVT_F_TRANSLATION : ROUTE_ABORT;
  }

  /** Reads `count` words at a byte address. @returns false beyond the memory there is: the read aborts, and the address is kept. */
  #readAt(ste: FieldValues, address: number, count: number): boolean {
    const isRead =
      this.#guest !== undefined && ste.config === STE_CONFIG_NESTED
        ? this.#guest.read(ste, address, this.#read, count)
        : this.#readOwn(address / BYTES, count);
    if (isRead) return true;
    this.fetchLo = (address % 2 ** 32) | 0;
    this.fetchHi = Math.floor(address / 2 ** 32);
    return false;
  }

  #readOwn(at: number, count: number): boolean {
    if (at + count > this.#words.length) return false;
    for (let i = 0; i < count; i++) this.#read[i] = Atomics.load(this.#words, at + i);
    return true;
  }
}

function kindOf(ste: FieldValues): number {
  if (ste.config < STE_CONFIG_BYPASS) return ROUTE_ABORT;
  if (ste.config === STE_CONFIG_BYPASS) return KIND_BYPASS;
  return (ste.config & 1) !== 0 ? KIND_S1 : KIND_S2;
}

/** Stage 2 has no A: it aborts. Without S2R the record is left out as well. */
function stage2Route(ste: FieldValues): number {
  if ((ste.config & 2) === 0) return 0;
  if (ste.s2S === 1) return ROUTE_STALL_S2;
  return ste.s2R === 1 ? EVT_F_TRANSLATION | ROUTE_S2 : ROUTE_ABORT;
}

function slotOf(streamId: number, substreamId: number): number {
  return (Math.imul(Math.imul(streamId, 0x9e3779b1) + substreamId, 0x85ebca6b) >>> (32 - CACHE_LG2)) * CACHED;
}
