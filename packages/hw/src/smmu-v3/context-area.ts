import type { Words } from '@faultline/core/sync';
import type { FieldValues } from '../record/fields.ts';
import { CD_LEAF_64K_LG2, CD_WORDS, encodeCd, L1CD_WORDS, writeL1Cd } from './cd.ts';
import { STE_CONFIG_SHIFT, STE_TRANSLATE } from './registers.ts';
import { encodeSte, S1DSS_SSID0, S1FMT_64K_L2, S1FMT_LINEAR, STE_RECORD_WORDS } from './ste.ts';

// Context descriptors, in one area on a 64 KiB boundary: tables are aligned to their size. An address on the wire is a word offset times 4.
//
//   leaf, stalling     1024 descriptors, all alike
//   leaf, terminating  1024 descriptors, all alike
//   two first levels   for each leaf, 1024 pointers to it: so all 2^20 SubstreamIDs find the same context
//   own tables         for each stream a linear table of 2^contextLog2 descriptors

const ALIGN = 2 ** 14; // 64 KiB in words
const LEAF_WORDS: number = CD_WORDS << CD_LEAF_64K_LG2;
const L1_ENTRIES = 1024;
const L1_WORDS: number = L1_ENTRIES * L1CD_WORDS;
const L1_AT: number = 2 * LEAF_WORDS;

function tableWords(log2: number): number {
  return CD_WORDS * 2 ** log2;
}

/** Words of the area, with what the alignment may cost. */
export function contextAreaWords(streams: number, log2: number): number {
  return ALIGN + ownTableAt(0, streams, log2);
}

/** @returns the offset from `base`, at or after `offset`, at which the area starts. */
export function planContexts(base: number, offset: number): number {
  return Math.ceil((base + offset) / ALIGN) * ALIGN - base;
}

/** Word offset of stream `streamId`'s own table. */
export function ownTableAt(area: number, streamId: number, log2: number): number {
  return area + L1_AT + Math.max(2 * L1_WORDS, tableWords(log2)) + streamId * tableWords(log2);
}

/** A context as Linux's driver makes them for stage 1: 48 bits, 4 KiB pages, TTB0 alone, faults recorded and aborted, ASID not shared. */
export const CONTEXT_DEFAULTS: FieldValues = {
  v: 1,
  t0sz: 16,
  tg0: 0,
  ir0: 1,
  or0: 1,
  sh0: 3,
  epd1: 1,
  ips: 5,
  aa64: 1,
  r: 1,
  a: 1,
  aset: 1,
};
/** ASID of the uniform contexts. */
export const UNIFORM_ASID = 1;

/** Fills the uniform tables; the streams' own are empty. `area` is zeroed. */
export function initContextArea(words: Words, area: number): void {
  for (const stall of [true, false]) {
    const leaf = leafAt(area, stall);
    encodeCd(words, leaf, { ...CONTEXT_DEFAULTS, asid: UNIFORM_ASID, s: stall ? 1 : 0 });
    for (let size = CD_WORDS; size < LEAF_WORDS; size *= 2) words.copyWithin(leaf + size, leaf, leaf + size);
    const first = firstLevelAt(area, stall);
    for (let i = 0; i < L1_ENTRIES; i++) writeL1Cd(words, first + i * L1CD_WORDS, leaf);
  }
}

function leafAt(area: number, stall: boolean): number {
  return stall ? area : area + LEAF_WORDS;
}

function firstLevelAt(area: number, stall: boolean): number {
  return area + L1_AT + (stall ? 0 : L1_WORDS);
}

/** @returns the low and the high half of a table's address, as S1ContextPtr takes it. */
export function contextPointer(tableAt: number): { readonly s1ContextPtrLo: number; readonly s1ContextPtrHi: number } {
  return { s1ContextPtrLo: (tableAt << 2) >>> 0, s1ContextPtrHi: tableAt >>> 30 };
}

/** @returns a stream table entry over the uniform tables: linear up to 1024 substreams, two levels beyond. */
export function uniformEntry(
  area: number,
  stream: {
    readonly config: number;
    readonly stall: boolean;
    readonly substreams: number;
    readonly pasidInResponses?: boolean;
  },
): Int32Array {
  const ste = new Int32Array(STE_RECORD_WORDS);
  const s1CDMax = Math.ceil(Math.log2(Math.max(1, stream.substreams)));
  const twoLevel = s1CDMax > CD_LEAF_64K_LG2;
  const table = twoLevel ? firstLevelAt(area, stream.stall) : leafAt(area, stream.stall);
  const stage1 = {
    s1Fmt: twoLevel ? S1FMT_64K_L2 : S1FMT_LINEAR,
    s1CDMax,
    s1DSS: S1DSS_SSID0,
    ...contextPointer(table),
  };
  encodeSte(ste, 0, {
    v: 1,
    config: stream.config >>> STE_CONFIG_SHIFT,
    ppar: stream.pasidInResponses === true ? 1 : 0,
    ...(stream.config === STE_TRANSLATE ? stage1 : {}),
  });
  return ste;
}
