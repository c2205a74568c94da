// A device's faults on one busy thread, user space on another: records out and answers in by bytes, so many at a time.
import { Arena, type IommuOps, LINE, planArena, type RegionSpec, type Words } from '@faultline/core';
import type { Machine } from '@faultline/iommufd';
import type { Goal } from '../goals.ts';
import { type Bench, LOOKS, type PairCase, standBy } from '../pair/case.ts';
import { keep } from '../pair/keep.ts';
import { ByteReader, initRig, openRig, RIG_REGIONS, Trigger } from './fault-rig.ts';

/** Records a read. */
const BATCH = 32;
/** Faults that the device has unanswered at most. */
const OUTSTANDING = 1024;
const SPINS = 1000;
const ANSWERED_REGION = 'answered';

const REGIONS: RegionSpec[] = [...RIG_REGIONS, { name: ANSWERED_REGION, words: LINE }];

/** The arena inside the harness's words. */
function arenaIn(words: Words, base: number): Arena {
  return Arena.open({
    buffer: words.buffer,
    regions: planArena(REGIONS).regions.map((region) => ({ ...region, base: region.base + base })),
  });
}

/** A driver whose device sees how many of its faults were answered. One thread answers. */
function countingOps(arena: Arena): IommuOps {
  const { words } = arena;
  const at = arena.base(ANSWERED_REGION);
  let answered = words[at];
  return {
    pageResponse: () => void answered++,
    flushResponses: () => void Atomics.store(words, at, answered),
  };
}

interface FaultSide {
  readonly machine: Machine;
  readonly trigger: Trigger;
  sent: number;
}
interface ReadSide {
  readonly machine: Machine;
  readonly reader: ByteReader;
}
const faultSides = new Map<string, FaultSide>();
const readSides = new Map<string, ReadSide>();
const NO_OPS: IommuOps = { pageResponse() {}, flushResponses() {} };

function runFaults({ words, base, items }: Bench): number {
  const arena = arenaIn(words, base);
  const side = keep(faultSides, NAME, () => {
    const machine = openRig(arena, { id: 1, spins: SPINS }, NO_OPS);
    return { machine, trigger: new Trigger(machine), sent: 0 };
  });
  const answeredAt = arena.base(ANSWERED_REGION);
  const end = side.sent + items;
  side.machine.system.reader.online();
  for (let looks = 0; ; ) {
    const unanswered = (side.sent - Atomics.load(words, answeredAt)) | 0;
    const count = Math.min(BATCH, end - side.sent, OUTSTANDING - unanswered);
    if (count > 0) {
      side.trigger.report(count);
      side.sent += count;
      looks = 0;
    } else if (unanswered === 0) break;
    else {
      side.machine.system.reader.quiescent();
      if (++looks > LOOKS) looks = standBy(words);
    }
  }
  side.machine.system.reader.offline();
  return items;
}

function runReads({ words, base, items }: Bench): number {
  const side = keep(readSides, NAME, () => {
    const arena = arenaIn(words, base);
    const machine = openRig(arena, { id: 2, spins: SPINS }, countingOps(arena));
    return { machine, reader: new ByteReader(machine, BATCH) };
  });
  let done = 0;
  for (let looks = 0; done < items; ) {
    const count = side.reader.step();
    done += count;
    if (count !== 0) looks = 0;
    else if (++looks > LOOKS) looks = standBy(words);
  }
  return done;
}

const NAME = `fault file, by bytes, ${BATCH} records a read, ${OUTSTANDING} outstanding`;

export const FAULT_PAIR_GOAL: Goal = { least: 2e6 };

export const faultPair: PairCase = {
  name: NAME,
  kind: 'throughput',
  words: planArena(REGIONS).totalWords,
  init: (words, base) => initRig(arenaIn(words, base)),
  sides: [runFaults, runReads],
  check: (items) => items,
};
