// One thread of mm.threads.test.ts: does its part until it is done or told to stop, and posts what it saw wrong.
import { parentPort, workerData } from 'node:worker_threads';
import { TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { BARRIER, fault, firstOdd, open, type Part, READ, STOP, translate, WRITE } from './mm.test-help.ts';
import type { Mm } from './mm.ts';
import { PageScanner } from './scanner.ts';

let state = 0;
/** xorshift32. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

function touch(mm: Mm, page: number): number {
  let faults = 0;
  for (; !translate(mm, page, WRITE); faults++) if (!fault(mm, page, WRITE)) throw new Error(`page ${page} refused`);
  return faults;
}

const stopped = (words: Words): boolean => Atomics.load(words, STOP) !== 0;

const roles: Record<Part['role'], (mm: Mm, part: Part) => string[]> = {
  /** Touches fresh pages, checks that they are zero, spoils them, discards them. Alone on its pages but for rivals' faults. */
  owner(mm, { words, start, pages, rounds, id }) {
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round++) {
      for (let page = start; page < start + pages; page++) {
        touch(mm, page);
        const odd = firstOdd(words, mm, page, 0);
        if (odd !== -1) wrong.push(`round ${round}: page ${page} handed out unzeroed at word ${odd}`);
        const at = mm.frameAt(page);
        words.fill(id, at, at + 1024);
      }
      for (let page = start; page < start + pages; page++) {
        touch(mm, page);
        if (firstOdd(words, mm, page, id) !== -1) wrong.push(`round ${round}: page ${page} lost what was written`);
      }
      mm.discard(start, pages);
    }
    return wrong;
  },

  /** Faults on anybody's pages. */
  rival(mm, { words, start, pages }) {
    while (!stopped(words)) fault(mm, start + random(pages), READ);
    return [];
  },

  /** Takes pages as fast as it can: a made-up clock. */
  scanner(mm, { words, pages }) {
    const scanner = new PageScanner(mm, { pagesPerSecond: 1000, chunkPages: Math.ceil(pages / 8) });
    for (let now = 0; !stopped(words); now = (now + 1000 * TICKS_PER_MS) | 0) scanner.step(now);
    return [];
  },

  /** Adds an area, populates some of it, removes it. */
  mapper(mm, { start, pages, rounds }) {
    for (let round = 0; round < rounds; round++) {
      mm.addArea(start, pages, READ | WRITE);
      for (let page = 0; page < 4; page++) fault(mm, start + random(pages), WRITE);
      mm.removeArea(start);
    }
    return [];
  },

  /** Walks to pages of areas that come and go. */
  walker(mm, { words, start, pages }) {
    let seen = 0;
    while (!stopped(words)) if (translate(mm, start + random(pages), WRITE)) seen++;
    return seen < 0 ? ['unreachable'] : [];
  },

  /** All racers fault on the same pages at the same time; each then finds them zeroed. */
  racer(mm, { words, start, pages, rounds }) {
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round++) {
      // Everybody meets at each round's own pages: the last to come opens the gate.
      const arrived = Atomics.add(words, BARRIER, 1) + 1;
      const racers = Atomics.load(words, BARRIER + 1);
      if (arrived === racers * (round + 1)) Atomics.notify(words, BARRIER);
      for (let now = arrived; now < racers * (round + 1); now = Atomics.load(words, BARRIER))
        Atomics.wait(words, BARRIER, now);
      const first = start + round * pages;
      for (let page = first; page < first + pages; page++) {
        touch(mm, page);
        const odd = firstOdd(words, mm, page, 0);
        if (odd !== -1) wrong.push(`page ${page} unzeroed at word ${odd}`);
      }
    }
    return wrong;
  },
};

const part = workerData as Part;
state = (part.seed * 2654435761 + part.id * 40503) | 1;
const mm = open(part.words, part.id);
parentPort?.postMessage(roles[part.role](mm, part));
