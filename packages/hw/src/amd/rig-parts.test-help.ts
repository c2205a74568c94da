import type { FaultReporter } from '@faultline/core/iopf';
import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { initPriPort, priPortWords } from '../pcie/pri-port.layout.ts';
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

/** What a port's endpoint got. */
export interface Received {
  readonly prgi: number;
  readonly code: number;
  /** Or -1. */
  readonly pasid: number;
  /** An invalidation request; `prgi` is its ITAG, `code` its size. */
  readonly invalidate?: true;
  readonly page?: number;
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
      { name: 'records', words: 64 * FAULT_WORDS },
      { name: 'spare', words: LINE },
      ...bells.map((name) => ({ name, words: doorbellWords() })),
      ...rids.map((_, i) => ({ name: `port${i}`, words: priPortWords(credits) })),
    ]),
  );
  const { words } = arena;
  initAmd(words, arena.base('amd'), amd);
  for (const name of bells) initDoorbell(words, arena.base(name));
  rids.forEach((rid, port) => {
    const groupCount = Math.floor(512 / rids.filter((other) => other === rid).length);
    const place = rids.slice(0, port).filter((other) => other === rid).length;
    initPriPort(words, arena.base(`port${port}`), {
      ...{ port, rid, credits, groupFirst: place * groupCount, groupCount, wakeAt: arena.base('wake') },
      announceBase: amdAnnounceBase(words, arena.base('amd')),
      doorbellBase: arena.base('hardware'),
    });
  });
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
