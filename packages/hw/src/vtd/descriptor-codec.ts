import { codedHi, codedLo, codedSizeLg2, firstHi, firstLo } from '../pcie/ats-range.ts';
import { INVALIDATE_ALL } from '../pcie/pri-port.layout.ts';
import {
  CONTEXT_DEVICE,
  CONTEXT_GLOBAL,
  INV_CONTEXT,
  INV_DEVICE_TLB,
  INV_IOTLB,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_CACHE,
  INV_PASID_DEVICE_TLB,
  INV_PASID_IOTLB,
  INV_WAIT,
  IOTLB_DOMAIN,
  IOTLB_PAGE,
  PASID_IOTLB_ALL,
  PASID_IOTLB_PAGE,
} from './invalidations.ts';
import { wordOfAddress } from './tables.ts';

// The descriptors of the fault, invalidation and drain paths, written and read without an object. The table is in invalidations.ts.
// A page number travels in two words: bits 31:0 (address bits 43:12) and the rest.

/** Wait descriptor flags, as they stand in w0. */
export const WAIT_INTERRUPT: number = 1 << 4;
export const WAIT_STATUS: number = 1 << 5;
export const WAIT_FENCE: number = 1 << 6;
export const WAIT_DRAIN: number = 1 << 7;

/** Covers every address. */
export const ALL_PAGES: number = INVALIDATE_ALL;

const PASID_PRESENT = 1 << 4;
const DEVICE_TLB_S = 1;
const PASID_DEVICE_TLB_S = 1 << 11;
const PRGI_SHIFT = 3;
const PASID_MASK = 0xfffff;

function put(words: Int32Array, at: number, w0: number, w1: number, w2: number, w3: number): void {
  words[at] = w0;
  words[at + 1] = w1;
  words[at + 2] = w2;
  words[at + 3] = w3;
  words[at + 4] = 0;
  words[at + 5] = 0;
  words[at + 6] = 0;
  words[at + 7] = 0;
}

/** @param pasid 20 bits, or -1: none. @param code PGR_*, four bits. */
export function writePageGroupResponse(
  words: Int32Array,
  at: number,
  rid: number,
  pasid: number,
  prgi: number,
  code: number,
): void {
  const present = pasid >= 0;
  const w0 = INV_PAGE_GROUP_RESPONSE | (present ? PASID_PRESENT : 0) | (code << 12) | (rid << 16);
  put(words, at, w0, present ? pasid : 0, prgi << PRGI_SHIFT, 0);
}

/** A wait that writes `data` to the word at offset `wordAt` of the same memory (a byte address, times 4, on the wire).
 * Without WAIT_STATUS it writes nothing. @param flags WAIT_* */
export function writeWait(words: Int32Array, at: number, flags: number, wordAt: number, data: number): void {
  put(words, at, INV_WAIT | flags, data, wordAt << 2, wordAt >>> 30);
}

/** Context cache: one device's entry, or (-1) all. */
export function writeContextInvalidation(words: Int32Array, at: number, rid: number): void {
  put(words, at, INV_CONTEXT | ((rid < 0 ? CONTEXT_GLOBAL : CONTEXT_DEVICE) << 4), Math.max(rid, 0), 0, 0);
}

/** @param granularity PASID_CACHE_* */
export function writePasidCacheInvalidation(
  words: Int32Array,
  at: number,
  granularity: number,
  did: number,
  pasid: number,
): void {
  put(words, at, INV_PASID_CACHE | (granularity << 4) | (did << 16), pasid, 0, 0);
}

const DRAIN_BOTH = 3 << 6; // DW and DR

/** IOTLB by domain: 2^sizeLg2 pages from an aligned page on, or ALL_PAGES. Reads and writes are drained. */
export function writeIotlbInvalidation(
  words: Int32Array,
  at: number,
  did: number,
  pageLo: number,
  pageHi: number,
  sizeLg2: number,
): void {
  const w0 = INV_IOTLB | DRAIN_BOTH | (did << 16);
  if (sizeLg2 >= ALL_PAGES) put(words, at, w0 | (IOTLB_DOMAIN << 4), 0, 0, 0);
  else put(words, at, w0 | (IOTLB_PAGE << 4), 0, (pageLo << 12) | sizeLg2, (pageLo >>> 20) | (pageHi << 12));
}

/** IOTLB by PASID: 2^sizeLg2 pages from an aligned page on, or ALL_PAGES. */
export function writePasidIotlbInvalidation(
  words: Int32Array,
  at: number,
  did: number,
  pasid: number,
  pageLo: number,
  pageHi: number,
  sizeLg2: number,
): void {
  const w0 = INV_PASID_IOTLB | (did << 16);
  if (sizeLg2 >= ALL_PAGES) put(words, at, w0 | (PASID_IOTLB_ALL << 4), pasid, 0, 0);
  else put(words, at, w0 | (PASID_IOTLB_PAGE << 4), pasid, (pageLo << 12) | sizeLg2, (pageLo >>> 20) | (pageHi << 12));
}

/** Device-TLB: 2^sizeLg2 pages that hold a page, or ALL_PAGES; coded as in ../pcie/ats-range.ts.
 * @param pasid the PASID, or -1: translations without one, and with any (ATS 2.0). */
export function writeDeviceTlbInvalidation(
  words: Int32Array,
  at: number,
  rid: number,
  pasid: number,
  pageLo: number,
  pageHi: number,
  sizeLg2: number,
): void {
  const lo = codedLo(pageLo, sizeLg2);
  const w3 = (lo >>> 20) | (codedHi(pageHi, sizeLg2) << 12);
  const sized = sizeLg2 > 0;
  if (pasid < 0) put(words, at, INV_DEVICE_TLB, rid, (lo << 12) | (sized ? DEVICE_TLB_S : 0), w3);
  else put(words, at, INV_PASID_DEVICE_TLB | (rid << 16), pasid, (lo << 12) | (sized ? PASID_DEVICE_TLB_S : 0), w3);
}

export function responseRid(words: Int32Array, at: number): number {
  return words[at] >>> 16;
}

/** @returns the PASID, or -1 for none. */
export function responsePasid(words: Int32Array, at: number): number {
  return (words[at] & PASID_PRESENT) !== 0 ? words[at + 1] & PASID_MASK : -1;
}

export function responseCode(words: Int32Array, at: number): number {
  return (words[at] >>> 12) & 15;
}

export function responsePrgi(words: Int32Array, at: number): number {
  return (words[at + 2] >>> PRGI_SHIFT) & 0x1ff;
}

/** Word offset that a wait's status address names, 0 for one beyond any memory here. */
export function waitWordAt(words: Int32Array, at: number): number {
  return wordOfAddress(words[at + 2], words[at + 3]);
}

/** Both kinds of device-TLB invalidation. */
export function deviceTlbRid(words: Int32Array, at: number): number {
  return (words[at] & 15) === INV_DEVICE_TLB ? words[at + 1] & 0xffff : words[at] >>> 16;
}

/** @returns the PASID, or -1: any. */
export function deviceTlbPasid(words: Int32Array, at: number): number {
  if ((words[at] & 15) === INV_DEVICE_TLB || (words[at + 2] & 1) !== 0) return -1;
  return words[at + 1] & PASID_MASK;
}

/** Log2 of the pages that a device-TLB invalidation covers: 0 without S, ALL_PAGES when every address bit but the top one is set. */
export function deviceTlbSize(words: Int32Array, at: number): number {
  const s = (words[at] & 15) === INV_DEVICE_TLB ? DEVICE_TLB_S : PASID_DEVICE_TLB_S;
  if ((words[at + 2] & s) === 0) return 0;
  return codedSizeLg2((words[at + 2] >>> 12) | (words[at + 3] << 20), words[at + 3] >>> 12);
}

/** Page number's two halves, with the bits that code the size cleared. */
export function deviceTlbPageLo(words: Int32Array, at: number, sizeLg2: number): number {
  return firstLo((words[at + 2] >>> 12) | (words[at + 3] << 20), sizeLg2);
}
export function deviceTlbPageHi(words: Int32Array, at: number, sizeLg2: number): number {
  return firstHi(words[at + 3] >>> 12, sizeLg2);
}
