import { type Arena, alignLine } from '@faultline/core/memory';
import type { IommufdConfig } from '../../machine/index.ts';
import { MOCK_DEVICE_WORDS, MOCK_DOMAIN_WORDS } from './layout.ts';
import { initPageMap, pageMapWords } from './page-map.ts';

export const MOCK_DEVICES_REGION = 'mock.devices';
export const MOCK_DOMAINS_REGION = 'mock.domains';
export const MOCK_PAGES_REGION = 'mock.pages';

/** Regions of the mock. @param slots of its page tables, a power of two: twice the mock's pages that are to be mapped at once. */
export function mockRegions(
  { devices, domains }: Pick<IommufdConfig, 'devices' | 'domains'>,
  slots: number = 2 ** 15,
): { readonly name: string; readonly words: number }[] {
  return [
    { name: MOCK_DEVICES_REGION, words: alignLine((devices + 1) * MOCK_DEVICE_WORDS) },
    { name: MOCK_DOMAINS_REGION, words: alignLine((domains + 1) * MOCK_DOMAIN_WORDS) },
    { name: MOCK_PAGES_REGION, words: pageMapWords(slots) },
  ];
}

/** Lays the mock out over zeroed words: no device. */
export function initMock(arena: Arena, slots: number = 2 ** 15): void {
  initPageMap(arena.words, arena.base(MOCK_PAGES_REGION), slots);
}
