import type { Words } from '@faultline/core/sync';
import { AMD_EFR } from './layout.ts';
import {
  EFR_GLX_SHIFT,
  EFR_GT,
  EFR_HI_BLK_STOP_MRK,
  EFR_HI_GIO,
  EFR_HI_PASMAX_MASK,
  EFR_HI_PPR_AUTO_RSP,
  EFR_HI_PPR_EARLY,
  EFR_IA,
  EFR_PPR,
} from './registers.ts';

/** What EXTENDED_FEATURES says, as far as it is used here. */
export interface AmdFeatures {
  readonly ppr: boolean;
  readonly guestTranslation: boolean;
  readonly invalidateAll: boolean;
  readonly pasidBits: number;
  /** Levels of a GCR3 table. */
  readonly gcr3Levels: number;
  readonly autoResponse: boolean;
  readonly earlyWarning: boolean;
  readonly blockStopMarkers: boolean;
  /** Paging of kind `paging-v2`. */
  readonly guestIo: boolean;
}

/** EXTENDED_FEATURES as the hardware has it. */
export function readExtendedFeatures(words: Words, base: number): bigint {
  const [low, high] = [words[base + AMD_EFR], words[base + AMD_EFR + 1]];
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

export function readFeatures(words: Words, base: number): AmdFeatures {
  const low = words[base + AMD_EFR];
  const high = words[base + AMD_EFR + 1];
  return {
    ppr: (low & EFR_PPR) !== 0,
    guestTranslation: (low & EFR_GT) !== 0,
    invalidateAll: (low & EFR_IA) !== 0,
    pasidBits: (high & EFR_HI_PASMAX_MASK) + 1,
    gcr3Levels: ((low >>> EFR_GLX_SHIFT) & 3) + 1,
    autoResponse: (high & EFR_HI_PPR_AUTO_RSP) !== 0,
    earlyWarning: (high & EFR_HI_PPR_EARLY) !== 0,
    blockStopMarkers: (high & EFR_HI_BLK_STOP_MRK) !== 0,
    guestIo: (high & EFR_HI_GIO) !== 0,
  };
}
