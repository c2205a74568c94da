import { checkInteger } from '@faultline/core/errors';
import { alignLine, checkRegion, defineLayout, type Layout } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';

// A PRI port: the two directions of the link between one queue of a PCIe function and its IOMMU, as far as page requests go.
//
//   endpoint ──▶ request ring  ──▶ IOMMU     page requests, stop markers, invalidation completions: posted, in order
//   endpoint ◀── response ring ◀── IOMMU     page group responses and invalidation requests, in order
//
// Both orders are what drains rest on: a completion pushes the requests sent before it, an invalidation request pushes the responses
// sent before it (VT-d 7.7, 7.8). So completions and invalidations share the rings with requests and responses.

/** Header words, from the port's base: written before sharing, read only from then on. */
export const PRI_REQUEST_SLOTS = 0;
export const PRI_RESPONSE_SLOTS = 1;
export const PRI_RID = 2; // requester id: bus, device, function
export const PRI_INDEX = 3; // this port's bit in the announce bitmap
export const PRI_WAKE = 4; // base of the Doorbell that the endpoint's thread sleeps on
export const PRI_ANNOUNCE = 5; // base of the announce bitmap
export const PRI_DOORBELL = 6; // base of the hardware's Doorbell
export const PRI_CREDITS = 7; // requests this port may have outstanding at most: its part of the Outstanding Page Request Capacity
export const PRI_GROUP_FIRST = 8; // PRG indices that this port uses: its responses are routed by them
export const PRI_GROUP_COUNT = 9;
export const PRI_REQUEST_PROD: number = LINE; // records published since the start, wrapping; the endpoint's
export const PRI_REQUEST_CONS: number = 2 * LINE; // records given back; the IOMMU's
export const PRI_RESPONSE_PROD: number = 3 * LINE; // the IOMMU's
export const PRI_RESPONSE_CONS: number = 4 * LINE; // the endpoint's
export const PRI_STARVED: number = 5 * LINE; // 1: the endpoint found no room for a request; it sets, the IOMMU clears
export const PRI_DROPPED: number = 6 * LINE; // responses and invalidations that found no room, wrapping; the IOMMU's
export const PRI_RINGS: number = 7 * LINE;

/** Words of a record, in both rings. */
export const PRI_RECORD_WORDS = 8;

/** Request record (endpoint → IOMMU). */
export const REQUEST_PAGE_LO = 0; // IOVA bits 43:12
export const REQUEST_PAGE_HI = 1; // IOVA bits 63:44
export const REQUEST_FLAGS = 2; // REQUEST_* below
export const REQUEST_PASID = 3; // 20 bits, meaningful with REQUEST_PASID_VALID
export const REQUEST_PRGI = 4; // page request group index, 9 bits; ITAG with REQUEST_INVALIDATED
export const REQUEST_TICK = 5; // when it was posted
// words 6 and 7: spare

export const REQUEST_READ = 1;
export const REQUEST_WRITE = 2;
export const REQUEST_EXEC = 4;
export const REQUEST_PRIV = 8;
export const REQUEST_LAST = 16;
export const REQUEST_PASID_VALID = 32;
/** Besides, LAST and PASID_VALID are set and READ and WRITE clear: those are what makes a stop marker on the wire. An IOMMU goes by
 * them; this bit is for people and books. */
export const REQUEST_STOP_MARKER = 64;
/** No page request: the completion of the invalidation with that ITAG. */
export const REQUEST_INVALIDATED = 128;

/** Response record (IOMMU → endpoint). */
export const RESPONSE_PRGI = 0; // ITAG with RESPONSE_INVALIDATE
export const RESPONSE_CODE = 1; // PRG_*; log2 of the pages with RESPONSE_INVALIDATE, or INVALIDATE_ALL
export const RESPONSE_FLAGS = 2; // RESPONSE_* below
export const RESPONSE_PASID = 3;
export const RESPONSE_PAGE_LO = 4; // with RESPONSE_INVALIDATE: first page, aligned to the size
export const RESPONSE_PAGE_HI = 5;
export const RESPONSE_TICK = 6; // when the IOMMU sent it
// word 7: spare

export const RESPONSE_PASID_VALID = 1;
/** No response: an invalidation request. Without RESPONSE_PASID_VALID it covers the range in every PASID, and without one. */
export const RESPONSE_INVALIDATE = 2;

/** Size of an invalidation that covers every address. */
export const INVALIDATE_ALL = 52;

/** Response codes on the wire, 4 bits. Any other is treated as PRG_FAILURE by a function.
 * @see VT-d 5.10, table 32; not the SMMU's CMD_PRI_RESP encoding, not the core's RESPONSE_* */
export const PRG_SUCCESS = 0;
export const PRG_INVALID = 1;
export const PRG_FAILURE = 15;

/** Page request group indices of a function: 9 bits. */
export const PRG_INDICES = 512;
/** Invalidations a function may have outstanding: ITAG, 5 bits. */
export const ITAGS = 32;

export interface PriPortConfig {
  /** Index of this port at its IOMMU, from 0. */
  readonly port: number;
  /** Requester id of the function, 16 bits. It need not be known to the IOMMU. Several ports may share one, with PRG indices apart. */
  readonly rid: number;
  /** Page requests outstanding at most, 1 to 65536. */
  readonly credits: number;
  /** First PRG index that this port uses. Default 0. */
  readonly groupFirst?: number;
  /** PRG indices that this port uses. Default: all from `groupFirst` on. */
  readonly groupCount?: number;
  /** Base of the core Doorbell rung when responses are there. Several ports may name the same one. */
  readonly wakeAt: number;
  /** Base of the IOMMU's announce bitmap: a LINE for every 32 ports. */
  readonly announceBase: number;
  /** Base of the hardware host's core Doorbell. */
  readonly doorbellBase: number;
}

export const priPortLayout: Layout = defineLayout('pri-port', [
  { name: 'HEADER', offset: 0, width: 10, unit: 'sizes and offsets', writer: 'init' },
  { name: 'REQUEST_PROD', offset: PRI_REQUEST_PROD, width: 1, unit: 'records', writer: 'endpoint' },
  { name: 'REQUEST_CONS', offset: PRI_REQUEST_CONS, width: 1, unit: 'records', writer: 'IOMMU' },
  { name: 'RESPONSE_PROD', offset: PRI_RESPONSE_PROD, width: 1, unit: 'records', writer: 'IOMMU' },
  { name: 'RESPONSE_CONS', offset: PRI_RESPONSE_CONS, width: 1, unit: 'records', writer: 'endpoint' },
  { name: 'STARVED', offset: PRI_STARVED, width: 1, unit: '1 while waiting for room', writer: 'both, by turns' },
  { name: 'DROPPED', offset: PRI_DROPPED, width: 1, unit: 'records', writer: 'IOMMU' },
]);

/** Slots of each ring. Twice the credits: stop markers and completions take none, and a function that breaks its limit must be able to. */
function ringSlots(credits: number): number {
  return 2 ** Math.ceil(Math.log2(2 * credits + ITAGS));
}

/** Words of a port with so many credits, a whole number of lines. @throws IommuError EINVAL credits */
export function priPortWords(credits: number): number {
  checkInteger('priPortWords', 'credits', credits, 1, 65536);
  return PRI_RINGS + alignLine(2 * ringSlots(credits) * PRI_RECORD_WORDS);
}

/** Lays the port out at `base`, before it is shared.
 * @throws IommuError EINVAL names the field that is out of range. */
export function initPriPort(words: Words, base: number, config: PriPortConfig): void {
  const call = 'initPriPort';
  const size = priPortWords(config.credits);
  const groupFirst = config.groupFirst ?? 0;
  checkRegion(call, words, base, size);
  checkInteger(call, 'port', config.port, 0, 65535);
  checkInteger(call, 'rid', config.rid, 0, 65535);
  checkInteger(call, 'groupFirst', groupFirst, 0, PRG_INDICES - 1);
  const groupCount = config.groupCount ?? PRG_INDICES - groupFirst;
  checkInteger(call, 'groupCount', groupCount, 1, PRG_INDICES - groupFirst);
  checkInteger(call, 'wakeAt', config.wakeAt, LINE, words.length - 1);
  checkInteger(call, 'announceBase', config.announceBase, LINE, words.length - 1);
  checkInteger(call, 'doorbellBase', config.doorbellBase, LINE, words.length - 1);
  words.fill(0, base, base + size);
  words[base + PRI_REQUEST_SLOTS] = ringSlots(config.credits);
  words[base + PRI_RESPONSE_SLOTS] = ringSlots(config.credits);
  words[base + PRI_RID] = config.rid;
  words[base + PRI_INDEX] = config.port;
  words[base + PRI_WAKE] = config.wakeAt;
  words[base + PRI_ANNOUNCE] = config.announceBase;
  words[base + PRI_DOORBELL] = config.doorbellBase;
  words[base + PRI_CREDITS] = config.credits;
  words[base + PRI_GROUP_FIRST] = groupFirst;
  words[base + PRI_GROUP_COUNT] = groupCount;
}
