import type { Arena, RegionSpec } from '@faultline/core/memory';
import { doorbellWords, initDoorbell } from '@faultline/core/sync';
import { initPriPort, PRG_INDICES, priPortWords } from '../pcie/pri-port.layout.ts';

// The parts of an arena that every test of an IOMMU has: doorbells by name, and PRI ports port0, port1, …

export function bellRegions(names: readonly string[]): RegionSpec[] {
  return names.map((name) => ({ name, words: doorbellWords() }));
}

export function initBells(arena: Arena, names: readonly string[]): void {
  for (const name of names) initDoorbell(arena.words, arena.base(name));
}

export function portRegions(count: number, credits: number): RegionSpec[] {
  return Array.from({ length: count }, (_, port) => ({ name: `port${port}`, words: priPortWords(credits) }));
}

/** Lays out a port for each requester, with the hardware's doorbell; ports of one requester share its PRG indices.
 * @param wake name of a port's own doorbell. @returns bases of the ports */
export function initPorts(
  arena: Arena,
  announceBase: number,
  rids: readonly number[],
  credits: number,
  wake: (port: number) => string = () => 'wake',
): number[] {
  return rids.map((rid, port) => {
    const groupCount = Math.floor(PRG_INDICES / rids.filter((other) => other === rid).length);
    const place = rids.slice(0, port).filter((other) => other === rid).length;
    const at = arena.base(`port${port}`);
    initPriPort(arena.words, at, {
      ...{ port, rid, credits, groupFirst: place * groupCount, groupCount, announceBase },
      ...{ wakeAt: arena.base(wake(port)), doorbellBase: arena.base('hardware') },
    });
    return at;
  });
}
