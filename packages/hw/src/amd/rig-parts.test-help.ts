import type { FaultReporter } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';
import { bellRegions, initBells, initPorts, portRegions } from '../testing/arena-parts.ts';
import { FAKE_RECORDS } from '../testing/fake-reporter.ts';
import type { AmdOps } from './amd-ops.ts';
import { type AmdConfig, amdAnnounceBase, amdWords, initAmd } from './layout.ts';
import type { AmdEnableOptions } from './switch-procedures.ts';

export interface RigConfig extends Partial<AmdConfig> {
  /** Device ids of the ports. Default one port, of device 0x10. */
  readonly rids?: readonly number[];
  readonly credits?: number;
  readonly enable?: AmdEnableOptions;
  readonly asLinux?: boolean;
  readonly lateEntries?: boolean;
  readonly reporter?: (words: Words, ops: AmdOps) => FaultReporter;
  readonly onLost?: () => void;
  /** Of the driver and its commands. Default 1000. */
  readonly timeoutMs?: number;
}

/** Lays the rig's memory out: the IOMMU, its doorbells, a port for each of `rids`; ports of one device share its PRG indices. */
export function layRig(config: RigConfig, rids: readonly number[], credits: number): Arena {
  const amd: AmdConfig = {
    pprEntries: config.pprEntries ?? 512,
    eventEntries: config.eventEntries ?? 256,
    commandEntries: config.commandEntries ?? 512,
    devices: config.devices ?? 64,
    ports: rids.length,
    gcr3Tables: config.gcr3Tables ?? rids.length,
  };
  const bells = ['irq', 'hardware', 'wake'];
  const arena = Arena.create(
    planArena([
      { name: 'amd', words: amdWords(amd) },
      { name: 'records', words: FAKE_RECORDS },
      { name: 'spare', words: LINE },
      ...bellRegions(bells),
      ...portRegions(rids.length, credits),
    ]),
  );
  const { words } = arena;
  initAmd(words, arena.base('amd'), amd);
  initBells(arena, bells);
  initPorts(arena, amdAnnounceBase(words, arena.base('amd')), rids, credits);
  return arena;
}

/** A command in a word or two: which device or domain, and the PASID where it has one. */
export function shortCommand(name: string, values: Record<string, number>): string {
  const { device, domain, gn, pasid = 0, pasid7_0 = 0 } = values;
  const at = gn === 1 ? `/${pasid + pasid7_0}` : '';
  if (name === 'INVALIDATE_DEVTAB_ENTRY') return `DTE ${device}`;
  if (name === 'INVALIDATE_IOMMU_PAGES') return `PAGES ${domain}${at}`;
  return name === 'INVALIDATE_IOTLB_PAGES' ? `IOTLB ${device}${at}` : name;
}
