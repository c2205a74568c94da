import { type Arena, alignLine } from '@faultline/core/memory';
import type { IommufdConfig } from '../../machine/index.ts';
import { MOCK_MEMORY_LIMIT_DEFAULT } from './constants.ts';
import {
  MOCK_DEVICE_WORDS,
  MOCK_DOMAIN_WORDS,
  MOCK_STATE_LIMIT,
  MOCK_STATE_WORDS,
  MOCK_VIOMMU_WORDS,
} from './layout.ts';
import { initPageMap, pageMapWords } from './page-map.ts';

export const MOCK_DEVICES_REGION = 'mock.devices';
export const MOCK_DOMAINS_REGION = 'mock.domains';
export const MOCK_PAGES_REGION = 'mock.pages';
export const MOCK_VIOMMUS_REGION = 'mock.viommus';
export const MOCK_STATE_REGION = 'mock.state';
/** A word for each frame of RAM: 1 while it is revoked. */
export const MOCK_REVOKED_REGION = 'mock.revoked';

export interface MockSizes extends Pick<IommufdConfig, 'devices' | 'domains' | 'objects'> {
  /** Of the page tables, a power of two: twice the mock's pages that are to be mapped at once. Default 2^15. */
  readonly slots?: number | undefined;
  /** Frames of RAM. Default 4096. */
  readonly frames?: number | undefined;
}

const SLOTS = 2 ** 15;

/** Regions of the mock. */
export function mockRegions({
  devices,
  domains,
  objects,
  slots = SLOTS,
  frames = 4096,
}: MockSizes): { readonly name: string; readonly words: number }[] {
  return [
    { name: MOCK_DEVICES_REGION, words: alignLine((devices + 1) * MOCK_DEVICE_WORDS) },
    { name: MOCK_DOMAINS_REGION, words: alignLine((domains + 1) * MOCK_DOMAIN_WORDS) },
    { name: MOCK_VIOMMUS_REGION, words: alignLine((objects + 1) * MOCK_VIOMMU_WORDS) },
    { name: MOCK_PAGES_REGION, words: pageMapWords(slots) },
    { name: MOCK_STATE_REGION, words: MOCK_STATE_WORDS },
    { name: MOCK_REVOKED_REGION, words: alignLine(frames + 1) },
  ];
}

/** Lays the mock out over zeroed words: no device. */
export function initMock(arena: Arena, slots: number = SLOTS): void {
  initPageMap(arena.words, arena.base(MOCK_PAGES_REGION), slots);
  arena.words[arena.base(MOCK_STATE_REGION) + MOCK_STATE_LIMIT] = MOCK_MEMORY_LIMIT_DEFAULT;
}
