// What endpoints can be asked to do beside faulting page by page, as it ships, on real threads: groups, caches, and one that misbehaves.
import { ActorSystem } from '@faultline/core/actor';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { checkBooks } from '../src/result/books.ts';
import type { Cell, HostileFigures } from '../src/result/schema.ts';
import {
  GENERATIONS,
  IOMMUS,
  MISBEHAVIOURS,
  type Misbehaviour,
  type StressParameters,
} from '../src/scenario/parameters.ts';
import { LAYOUTS } from '../src/stress/family/layouts.ts';
import { engine, growAll, runOrder, runTiny, tiny } from './tiny-engine.ts';

vi.setConfig({ testTimeout: 20_000 }); // a hang, not a machine that has other work
afterEach(() => void vi.restoreAllMocks());

const FAULTS = 2000;
const PCIE = ['vtd', 'amd'] as const;

const MOST_CELLS = 20;
const small: Partial<StressParameters> = { threads: [4], threadsPerWorker: 2, devices: 2, pagesPerJob: 16 };

/** One cell, of few threads and short. */
const run = (over: Partial<StressParameters>): Promise<Cell> => runTiny({ ...small, ...over });

/** States that each actor of the next run passes through. */
function watchStates(): Map<string, string[]> {
  const states = new Map<string, string[]>();
  const { start } = ActorSystem;
  vi.spyOn(ActorSystem, 'start').mockImplementation((options) => {
    const starting = start(options);
    void starting.then((system) =>
      system.on('transition', ({ actor, state }) => void states.set(actor, [...(states.get(actor) ?? []), state])),
    );
    return starting;
  });
  return states;
}

function expectBalanced(cell: Cell): void {
  expect(checkBooks(cell)).toEqual([]);
  expect(cell.reported).toBe(cell.answered);
  expect(cell.timeouts).toBe(0);
}

describe.each(IOMMUS)('every queue, device and domain of %s is an actor:', (iommu) => {
  test('they are brought up, and drained down again', async () => {
    const states = watchStates();
    expectBalanced(await run({ iommu, faults: FAULTS }));
    for (const { name } of LAYOUTS[iommu].queues)
      expect([name, states.get(name)?.slice(-3)]).toEqual([name, ['enabled', 'draining', 'disabled']]);
    for (const device of ['device:1', 'device:2']) {
      const passed = states.get(device) ?? [];
      expect(passed.slice(0, 3)).toEqual(['bound', 'attached', 'pri-enabled']);
      expect(passed.filter((state) => state.startsWith('draining.')).length).toBeGreaterThanOrEqual(5);
      expect(passed.slice(-3)).toEqual(['attached', 'bound', 'unbound']);
    }
    expect(states.get('domain')?.at(-1)).toBe('freed');
  });
});

test.each([
  ['vtd', 'page-request-queue', 128],
  ['amd', 'ppr-log', 256],
] as const)('an overflow passes through the actor of the queue: %s', async (iommu, queue, queueEntries) => {
  const states = watchStates();
  const over = {
    iommu,
    queueEntries,
    threads: [512],
    threadsPerWorker: 128,
    devices: 1,
    pagesPerJob: 8,
    groupPages: 4,
  };
  const cell = await run({ ...over, faults: 30_000 });
  expectBalanced(cell);
  expect(cell.overflows).toBeGreaterThan(0);
  expect(cell.automatic).toBeGreaterThan(0);
  expect(states.get(queue)).toContain('overflowed');
  expect(states.get(queue)?.slice(-3)).toEqual(['enabled', 'draining', 'disabled']);
});

describe('groups of several pages', () => {
  test.each([
    [3, 'lockless', 'vtd'],
    [16, 'locked', 'amd'],
    [512, 'mainline', 'vtd'],
    [512, 'v7', 'amd'],
  ] as const)(
    'up to %i pages, %s behind %s: the books balance in groups and in pages',
    async (groupPages, generation, iommu) => {
      const cell = await run({ iommu, groupPages, generations: [generation], faults: FAULTS });
      expectBalanced(cell);
      expect(cell).toMatchObject({ faults: FAULTS, automatic: 0, refaults: 0 });
      expect(cell.groups).toMatchObject({ sent: cell.reported, pagesResumed: FAULTS });
      const rounds = FAULTS / 16;
      const most = rounds * Math.ceil(16 / groupPages) + cell.threads; // a round that the budget cut may end in a small one
      expect(cell.reported).toBeLessThanOrEqual(most);
      expect(cell.reported).toBeGreaterThanOrEqual(Math.floor(FAULTS / Math.min(groupPages, 16)));
    },
  );
});

describe('translations that are kept', () => {
  test.each(GENERATIONS.map((each, i) => [each, PCIE[i % PCIE.length]] as const))(
    'no access uses one after its invalidation, pages taken and domains replaced: %s behind %s',
    async (each, iommu) => {
      const over = { ...small, iommu, atc: true, generations: [each], groupPages: 4, scanner: 3, replaceEveryMs: 5 };
      // Leased pages are there until they are used: no re-fault is waited for.
      const seen = { refaults: each === 'adaptive' ? 1 : 0, hits: 0, invalidations: 0 };
      await engine.onStage(tiny({ ...over, seconds: 0.15 }), new AbortController().signal, async (stage) => {
        await growAll(stage);
        // Threads that wait for a processor keep no translation until they use it: then once more.
        for (let cells = 0; cells < MOST_CELLS && Object.values(seen).includes(0); cells++) {
          const cell = await runOrder(stage);
          expectBalanced(cell);
          expect(cell.atc).toMatchObject({ breaches: 0 });
          seen.refaults += cell.refaults;
          seen.hits += cell.atc?.hits ?? 0;
          seen.invalidations += cell.atc?.invalidations ?? 0;
        }
      });
      for (const count of Object.values(seen)) expect(count, JSON.stringify(seen)).toBeGreaterThan(0);
    },
  );
});

type Outcome = (hostile: HostileFigures) => void;
/** Once it is being turned off, the answer is Invalid. */
const everyGroup: Outcome = ({ groups, succeeded, invalid }) => {
  expect(succeeded).toBeGreaterThan(0);
  expect(succeeded + invalid).toBe(groups);
};
const outcomes: Record<Misbehaviour, Outcome> = {
  creditsExceeded: everyGroup,
  groupIndexReused: everyGroup,
  lastPageMissing: ({ groups, succeeded, invalid, reported, answered, dropped }) => {
    expect(succeeded + invalid).toBeLessThan(groups); // what never ends is never answered
    expect(reported).toBeGreaterThan(4 * answered);
    expect(dropped).toBeGreaterThan(0);
  },
  lastPageDoubled: (hostile) => {
    everyGroup(hostile);
    expect(hostile.unexpected).toBeGreaterThan(0);
  },
  pasidChangedInGroup: (hostile) => {
    everyGroup(hostile);
    expect(hostile.reported).toBeLessThan(hostile.requests); // PASID 0 is nobody's
  },
  responseLost: ({ groups, lost, succeeded, invalid, dropped }) => {
    expect(lost).toBeGreaterThan(0);
    expect(succeeded + invalid + lost).toBe(groups);
    expect(dropped).toBeGreaterThan(0);
  },
  responseDuplicated: (hostile) => {
    everyGroup(hostile);
    expect(hostile.unexpected).toBeGreaterThan(0);
  },
  requestsAfterPriOff: ({ reported, answered, groups, rejected, invalid }) => {
    expect({ reported, answered, rejected, invalid }).toEqual({
      reported: 0,
      answered: 0,
      rejected: groups,
      invalid: groups,
    });
  },
  storm: ({ succeeded, invalid, groups }) => {
    expect(invalid).toBeGreaterThan(0); // pages that nobody mapped
    expect(succeeded + invalid).toBe(groups);
  },
};

describe('one device misbehaves: the others are answered, and their books balance:', () => {
  test.each(MISBEHAVIOURS.flatMap((name, at) => [[name, PCIE[at % 2]] as const]))(
    '%s behind %s',
    async (misbehave, iommu) => {
      const cell = await run({ iommu, misbehave, queueEntries: 256, seconds: 0.1 });
      expectBalanced(cell);
      expect(cell.faults).toBeGreaterThan(0);
      expect(cell.resumed).toBe(cell.faults);
      expect(cell.hostile?.requests).toBeGreaterThan(0);
      if (cell.hostile !== undefined) outcomes[misbehave](cell.hostile);
    },
  );

  test('among groups, caches and replaced domains', async () => {
    const over = { iommu: 'amd', misbehave: 'responseDuplicated', groupPages: 8, atc: true } as const;
    const cell = await run({ ...over, scanner: 3, replaceEveryMs: 5, seconds: 0.15 });
    expectBalanced(cell);
    expect(cell.atc?.breaches).toBe(0);
    expect(cell.hostile?.strays).toBe(0);
  });
});
