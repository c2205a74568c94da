import { describe, expect, test } from 'vitest';
import { readMmBooks } from './books.ts';
import { MM_PTES_AT } from './layout.ts';
import { BASE, fault, firstOdd, memoryOf, open, READ, translate, WRITE } from './mm.test-help.ts';
import type { Mm } from './mm.ts';
import { noNotifier } from './notifier.ts';
import { PTE_BUSY, PTE_DIRTY, PTE_LEASE, PTE_LEASE_USED, PTE_NUMA_HINT, PTE_PRESENT, tagBits } from './pte.ts';

// Every place where one thread can lose its processor inside a call: before each atomic access of `victim`, `intruder` runs as a
// whole. A page must come out of each of them right. The global Atomics is what the code under test calls, so it is replaced.
const PAGE = 100;
const FRAMES = 32;
const MARK = 0x1234567;

interface Scene {
  words: ReturnType<typeof memoryOf>;
  victim: Mm;
  intruder: Mm;
}

/** Runs `victim` with `intruder` put before its nth atomic access, for n = 1, 2, … until it has no nth. @returns how many there were. */
function atEveryStep(
  prepare: (scene: Scene) => void,
  victim: (scene: Scene) => void,
  intruder: (scene: Scene) => void,
  check: (scene: Scene) => void,
): number {
  for (let n = 1; ; n++) {
    const words = memoryOf({ frames: FRAMES, areas: 4, threads: 2 });
    const scene = { words, victim: open(words, 1), intruder: open(words, 2, noNotifier, { busyLimitMs: 0 }) };
    scene.victim.addArea(PAGE, 4, READ | WRITE);
    prepare(scene);
    let left = n;
    const real = globalThis.Atomics;
    globalThis.Atomics = new Proxy(real, {
      get(target, name) {
        const access = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (--left === 0) {
            globalThis.Atomics = real;
            intruder(scene);
          }
          return access(...args);
        };
      },
    });
    try {
      victim(scene);
    } finally {
      globalThis.Atomics = real;
    }
    if (left > 0) return n - 1;
    check(scene);
    const { populated, discarded } = readMmBooks(words, BASE);
    expect(populated).toBe(discarded + scene.victim.presentPages());
  }
}

const present = ({ victim }: Scene): void => void fault(victim, PAGE, READ);
const write = ({ words, victim }: Scene): void => void words.fill(MARK, victim.frameAt(PAGE), victim.frameAt(PAGE) + 1);
const populate = ({ victim }: Scene): void => void fault(victim, PAGE, READ);
const discard = ({ intruder }: Scene): void => void intruder.discard(PAGE, 4);
const take = ({ intruder }: Scene): void => void intruder.takePage(intruder.areaFrom(PAGE), 0);

describe('a handler that populates', () => {
  test('and another: zeroed once, whoever wins', () => {
    let failed = 0;
    const steps = atEveryStep(
      () => {},
      populate,
      (scene) => {
        if (fault(scene.intruder, PAGE, READ))
          scene.words[scene.intruder.frameAt(PAGE)] = MARK; // the device goes on and writes
        else failed++; // the zeroing was under way, and this one may not wait
      },
      ({ words, victim }) => {
        const { populated, stuck } = readMmBooks(words, BASE);
        expect([populated, stuck]).toEqual([1, stuck]);
        expect(victim.pteOf(PAGE) & (PTE_PRESENT | PTE_BUSY)).toBe(PTE_PRESENT);
        expect(words[victim.frameAt(PAGE)]).toBe(stuck === 0 ? MARK : 0);
        expect(words[victim.frameAt(PAGE) + 1]).toBe(0);
      },
    );
    expect(steps).toBeGreaterThanOrEqual(4); // PTE seen, claimed, published, and the books; the mmap lock's come on top
    expect(failed).toBe(1); // between taking the page and publishing it lies one atomic access
  });

  test('and discard: the page is zeroed and present, or absent', () => {
    atEveryStep(
      () => {},
      populate,
      discard,
      ({ words, victim }) => {
        const pte = victim.pteOf(PAGE);
        if (pte !== 0) expect(firstOdd(words, victim, PAGE, 0)).toBe(-1);
        expect(pte & PTE_BUSY).toBe(0);
        fault(victim, PAGE, READ);
        expect(firstOdd(words, victim, PAGE, 0)).toBe(-1);
      },
    );
  });

  test('on a taken page, and discard: what was written is there, or all is zero', () => {
    atEveryStep(
      (scene) => {
        present(scene);
        write(scene);
        take(scene);
      },
      populate,
      discard,
      ({ words, victim }) => {
        fault(victim, PAGE, READ);
        const discards = readMmBooks(words, BASE).discarded;
        expect(discards).toBe(1);
        expect(firstOdd(words, victim, PAGE, 0)).toBe(-1);
      },
    );
  });
});

describe('a table walk', () => {
  const walked: boolean[] = [];
  const walk = (scene: Scene): void => void walked.push(translate(scene.victim, PAGE, WRITE));

  test('and the scanner: a page that the walk marked dirty stays dirty', () => {
    atEveryStep(present, walk, take, ({ victim }) => {
      const pte = victim.pteOf(PAGE);
      expect(pte & PTE_NUMA_HINT).toBe(PTE_NUMA_HINT);
      expect((pte & PTE_DIRTY) !== 0).toBe(walked.pop());
    });
  });

  test('and discard: no mark on an absent page', () => {
    atEveryStep(present, walk, discard, ({ victim }) => expect(victim.pteOf(PAGE)).toBe(0));
  });

  test('and its area going to another place, frames and all: refused, or done before', () => {
    let refused = 0;
    atEveryStep(
      present,
      walk,
      ({ intruder }) => {
        intruder.removeArea(PAGE);
        intruder.addArea(PAGE + 20, 1, READ);
        intruder.removeArea(PAGE + 20); // so that the next tag holds the first one's bits
        intruder.addArea(PAGE + 50, FRAMES, READ | WRITE); // the whole memory, so the same frames
        fault(intruder, PAGE + 50, READ);
      },
      ({ victim }) => {
        expect(walked.pop()).toBe(false); // the area was gone before the walk's last access
        refused++;
        expect(victim.pteOf(PAGE + 50) & PTE_DIRTY).toBe(0);
        expect(translate(victim, PAGE, WRITE)).toBe(false);
        expect(translate(victim, PAGE + 50, WRITE)).toBe(true);
      },
    );
    expect(refused).toBeGreaterThan(3);
  });
});

describe('the scanner', () => {
  const scan = ({ victim }: Scene): void => void victim.takePage(victim.areaFrom(PAGE), 0);

  test('and a walk that writes: taken, and dirty if the walk succeeded', () => {
    let dirty = false;
    atEveryStep(
      present,
      scan,
      ({ intruder }) => {
        dirty = translate(intruder, PAGE, WRITE);
      },
      ({ victim }) => {
        expect(victim.pteOf(PAGE) & PTE_NUMA_HINT).toBe(PTE_NUMA_HINT);
        expect((victim.pteOf(PAGE) & PTE_DIRTY) !== 0).toBe(dirty);
      },
    );
  });

  test('and the first access to a leased page: the page stays, the lease is cut short whoever is first', () => {
    const leases: number[] = [];
    const leased = ({ victim }: Scene): void => void fault(victim, PAGE, READ, true);
    const access = ({ intruder }: Scene): void => void translate(intruder, PAGE, WRITE);
    const check = ({ victim }: Scene): void => {
      const pte = victim.pteOf(PAGE);
      expect(pte & (PTE_PRESENT | PTE_NUMA_HINT)).toBe(PTE_PRESENT);
      expect(pte & PTE_DIRTY).toBe(PTE_DIRTY);
      expect(pte & PTE_LEASE).toBeLessThanOrEqual(PTE_LEASE_USED);
      leases.push(pte & PTE_LEASE);
    };
    atEveryStep(leased, scan, access, check);
    expect(leases).toContain(PTE_LEASE_USED - PTE_LEASE / 15); // the visit came after the access
    leases.length = 0;
    const visit = ({ intruder }: Scene): void => void intruder.takePage(intruder.areaFrom(PAGE), 0);
    atEveryStep(leased, ({ victim }) => void translate(victim, PAGE, WRITE), visit, check);
    expect(leases).toContain(PTE_LEASE_USED); // the visit came before it, and the access saw that
  });

  test('and discard of a leased page: an absent page is not brought back', () => {
    const leased = ({ victim }: Scene): void => void fault(victim, PAGE, READ, true);
    atEveryStep(leased, scan, discard, ({ victim }) => expect(victim.pteOf(PAGE)).toBe(0));
  });

  test('and discard: an absent page is not brought back', () => {
    atEveryStep(present, scan, discard, ({ victim }) => expect(victim.pteOf(PAGE)).toBe(0));
  });
});

test('a walk that reads half of one area and half of another touches nothing', () => {
  const planted = tagBits(3) | PTE_PRESENT | READ | WRITE; // as if the third area had it
  const beyond = ({ words }: Scene): number => words[BASE + MM_PTES_AT] + FRAMES + 1; // the old start with the new frame
  atEveryStep(
    (scene) => {
      scene.words[beyond(scene)] = planted;
    },
    ({ victim }) => expect(translate(victim, PAGE + 3, WRITE)).toBe(false),
    ({ intruder }) => {
      intruder.removeArea(PAGE);
      intruder.addArea(PAGE + 50, FRAMES - 2, READ);
      intruder.addArea(PAGE - 50, 2, READ); // in the table's place of the old one, on the last two frames
    },
    (scene) => expect(scene.words[beyond(scene)]).toBe(planted),
  );
});

describe('the last user leaving', () => {
  test('while another comes in: in before, or not at all', () => {
    atEveryStep(
      present,
      ({ victim }) => victim.putUsers(),
      ({ intruder }) => {
        if (!intruder.getUsers()) return;
        expect(fault(intruder, PAGE + 1, READ)).toBe(true);
        intruder.putUsers();
      },
      ({ victim }) => {
        expect(victim.getUsers()).toBe(false);
        expect(victim.presentPages()).toBe(0);
      },
    );
  });
});
