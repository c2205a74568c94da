import { initIopf, iopfRegions } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { doorbellWords, initDoorbell, LINE } from '@faultline/core/sync';
import { functionWords, initFunction } from '../../pcie/function.layout.ts';
import { initPriPort, priPortWords } from '../../pcie/pri-port.layout.ts';
import type { PriHostOptions } from '../../pcie/testing/pri-host.ts';
import { amdAnnounceBase, amdWords, initAmd } from '../layout.ts';
import { MIN_RING_ENTRIES } from '../registers.ts';

export const HOST_DEVICE_ID = 0x0205;

/** Lays a host's memory out: IOMMU, core, one function with one port. */
export function layAmdHost(options: PriHostOptions): Arena {
  const entries = Math.max(MIN_RING_ENTRIES, 2 ** Math.ceil(Math.log2(options.entries + 1)));
  const amd = {
    pprEntries: entries,
    eventEntries: 512,
    commandEntries: 512,
    devices: HOST_DEVICE_ID + 1,
    ports: 1,
    gcr3Tables: 1,
  };
  const iopf = {
    devices: 2,
    domains: 4,
    threads: 1,
    requests: 4096,
    workEntries: 2048,
    sharing: 'split' as const,
    checked: true,
  };
  const bells = ['irq', 'hardware', 'wake'];
  const arena = Arena.create(
    planArena([
      ...iopfRegions(iopf),
      { name: 'amd', words: amdWords(amd) },
      ...bells.map((name) => ({ name, words: doorbellWords() })),
      { name: 'function', words: functionWords() },
      { name: 'stats', words: 2 * LINE },
      { name: 'port', words: priPortWords(options.credits) },
    ]),
  );
  const { words } = arena;
  const base = arena.base('amd');
  initIopf(arena, iopf);
  initAmd(words, base, amd);
  for (const name of bells) initDoorbell(words, arena.base(name));
  initFunction(words, arena.base('function'), { capacity: options.credits });
  initPriPort(words, arena.base('port'), {
    port: 0,
    rid: HOST_DEVICE_ID,
    credits: options.credits,
    wakeAt: arena.base('wake'),
    announceBase: amdAnnounceBase(words, base),
    doorbellBase: arena.base('hardware'),
  });
  return arena;
}
