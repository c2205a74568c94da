// A thread of page-table.threads.test.ts: plays one part after another, each until it is done or told to stop, and posts what it
// counted and saw wrong.
import { parentPort } from 'node:worker_threads';
import type { LeafView } from './describe.ts';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { KINDS, ModelledArea, SHIFTS } from './modelled-area.test-help.ts';
import { granulePages, Rig } from './rig.test-help.ts';
import { type Part, READY, type Report, STOP } from './threads.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

/** One part at work. */
class Play {
  readonly rig: Rig;
  readonly step: number;
  readonly report: Report = { wrong: [], counts: {} };
  readonly #part: Part;
  #state: number;

  constructor(part: Part) {
    this.rig = new Rig(part.shared, part.id);
    this.step = granulePages(this.rig.table);
    this.#part = part;
    this.#state = (Math.imul(part.seed, 0x9e3779b1) + Math.imul(part.id, 0x85ebca6b)) | 1;
  }

  /** xorshift32. */
  random(below: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % below;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.random(from.length)];
  }
  stopped(): boolean {
    return Atomics.load(this.#part.shared.words, STOP) !== 0;
  }
  count(name: string, by = 1): void {
    this.report.counts[name] = (this.report.counts[name] ?? 0) + by;
  }
  wrong(what: string): void {
    if (this.report.wrong.length < 5) this.report.wrong.push(what);
  }
  /** Output page of a page, where nothing is shifted. */
  outputOf(page: number): number {
    return page + this.#part.distance;
  }
  isOutputOf(page: number, oaPage: number): boolean {
    return this.#part.shifts.includes(oaPage - page - this.#part.distance);
  }
  randomPage(): number {
    return this.#part.start + this.random((this.#part.end - this.#part.start) / this.step) * this.step;
  }
}

const roles: Record<Part['role'], (play: Play, part: Part) => void> = {
  /** Owns every `stride`th range of `length` pages: maps it, checks it, unmaps it, in one go or piecewise. */
  owner(play, part) {
    const { table, reader } = play.rig;
    for (let round = 0; round < part.rounds; round++) {
      for (let at = part.start; at < part.end; at += part.stride) {
        table.map(at, play.outputOf(at), part.length, RW);
        const page = at + play.random(part.length / play.step) * play.step;
        if (table.iovaToPhys(page) !== play.outputOf(page)) play.wrong(`round ${round}: page ${page} leads elsewhere`);
      }
      for (let at = part.start; at < part.end; at += part.stride) {
        const piece = play.random(3) === 0 ? part.piece : part.length;
        for (let done = 0; done < part.length; done += piece) {
          const unmapped = table.unmap(at + done, piece);
          if (unmapped !== piece) play.wrong(`round ${round}: ${unmapped} of ${piece} pages unmapped at ${at + done}`);
        }
        if (table.iovaToPhys(at) !== -1) play.wrong(`round ${round}: page ${at} is still there`);
        if (play.random(4) === 0) table.gather.sync();
        table.deferred.poll();
        reader.quiescent();
      }
    }
    play.count('lost races', table.tree.lostRaces);
  },

  /** Owns a range, and does everything to it that there is, beside a model of its own. */
  modeller(play, part) {
    const { table, reader } = play.rig;
    const unitLg2 = table.tree.format.sizesLg2[0];
    const units = (part.end - part.start) / play.step;
    const area = new ModelledArea(table, { start: part.start, units, unitLg2, distance: part.distance });
    for (let round = 0; round < part.rounds && play.report.wrong.length === 0; round++) {
      const operation = {
        kind: play.pick(KINDS),
        at: play.random(units),
        align: play.pick([1, 1, ...area.sizes]),
        length: play.random(2) === 0 ? 1 + play.random(40) : play.pick(area.sizes),
        shift: play.pick(SHIFTS),
        writable: play.random(2) === 0,
      };
      try {
        area.apply(operation);
      } catch (error) {
        play.wrong(`round ${round}: ${JSON.stringify(operation)}: ${(error as Error).message}`);
      }
      play.count(operation.kind);
      if (play.random(4) === 0) table.gather.sync();
      table.deferred.poll();
      reader.quiescent();
    }
    if (play.report.wrong.length === 0) area.unmapAll();
  },

  /** Sweeps everything, over and over. */
  sweeper(play, part) {
    const { table, reader } = play.rig;
    const bitmap = new DirtyBitmap(part.start, part.end - part.start);
    const sweep = (): void =>
      play.count(
        'dirty',
        table.readAndClearDirty(part.start, part.end - part.start, bitmap, table.gather, part.method),
      );
    do {
      sweep();
      table.gather.sync();
      play.count('sweeps');
      reader.quiescent();
    } while (!play.stopped());
    sweep();
  },

  /** Reads everything's dirtiness, and leaves it. */
  reader(play, part) {
    const { table, reader } = play.rig;
    const bitmap = new DirtyBitmap(part.start, part.end - part.start);
    do {
      table.readDirty(part.start, part.end - part.start, bitmap);
      play.count('readings');
      reader.quiescent();
    } while (!play.stopped());
  },

  /** Dumps everything, over and over: for programs and for people. */
  dumper(play) {
    const { table, reader } = play.rig;
    let end = 0;
    const visitor = {
      leaf({ page, pages, oaPage }: LeafView): void {
        play.count('leaves');
        if (page < end) play.wrong(`a dump met page ${page} after page ${end - 1}`);
        end = page + pages;
        if (!play.isOutputOf(page, oaPage)) play.wrong(`a dump met ${oaPage} at page ${page}`);
      },
      stray: (page: number): void => play.wrong(`a dump met no table at page ${page}`),
    };
    do {
      end = 0;
      table.visit(visitor);
      play.count('dumps');
      reader.quiescent();
      if (!table.describe()[0].includes('top level')) play.wrong('a dump without a first line');
      reader.quiescent();
    } while (!play.stopped());
  },

  /** Plays hardware: reads and writes anywhere, and notes in the log that a write is done. */
  hardware(play, part) {
    const { table, reader } = play.rig;
    const walker = table.walker(play.rig.port(part.walker), { tlbEntries: part.tlbEntries });
    for (let access = 1; access === 1 || !play.stopped(); access++) {
      const page = play.randomPage();
      const found = walker.access(page, part.log !== undefined || (part.writes && play.random(2) === 0));
      if (found >= 0 && !play.isOutputOf(page, found)) play.wrong(`page ${page} translated to ${found}`);
      if (part.log !== undefined && found >= 0) Atomics.store(part.log, (page - part.start) / play.step, access);
      if ((access & 15) === 0) reader.quiescent();
    }
    walker.idle();
    play.count('marks', walker.marks);
    play.count('retries', walker.retries);
    play.count('walks', walker.walks);
  },

  /** Cuts and promotes what is mapped. */
  resizer(play, part) {
    const { table, reader } = play.rig;
    const sizeLg2 = table.tree.format.sizesLg2[1];
    const size = 2 ** (sizeLg2 - 12);
    for (let round = 0; round < part.rounds; round++) {
      const page = part.start + play.random((part.end - part.start) / size) * size;
      if (round % 2 === 0) table.cut(page);
      else play.count('promoted', table.promote(page, sizeLg2) ? 1 : 0);
      table.gather.sync();
      table.deferred.poll();
      reader.quiescent();
    }
  },

  /** Sweeps, and holds what it reports against the log of writes. */
  auditor(play, part) {
    const { table, reader } = play.rig;
    const { log } = part;
    if (log === undefined) throw new Error('an auditor needs the log');
    const pages = (part.end - part.start) / play.step;
    const covered = new Int32Array(pages); // writes that a report of the page has covered
    const before = new Int32Array(pages);
    const bitmap = new DirtyBitmap(part.start, part.end - part.start);
    for (let last = false; !last; ) {
      last = play.stopped();
      for (let page = 0; page < pages; page++) before[page] = Atomics.load(log, page);
      bitmap.clear();
      table.readAndClearDirty(part.start, part.end - part.start, bitmap, table.gather, part.method);
      table.gather.sync();
      for (let page = 0; page < pages; page++) {
        if (bitmap.has(part.start + page * play.step)) covered[page] = Atomics.load(log, page);
        else if (before[page] > covered[page] && (last || part.strict)) {
          play.wrong(`write ${before[page]} to page ${page} was not reported`);
          covered[page] = before[page];
        }
      }
      play.count('sweeps');
      reader.quiescent();
    }
  },
};

function perform(part: Part): Report {
  const play = new Play(part);
  const { rig } = play;
  const { words } = part.shared;
  if (Atomics.add(words, READY, 1) + 1 === part.parts) Atomics.notify(words, READY);
  for (let ready = Atomics.load(words, READY); ready < part.parts; ready = Atomics.load(words, READY))
    Atomics.wait(words, READY, ready);
  roles[part.role](play, part);
  rig.table.gather.sync();
  rig.table.deferred.flush(rig.self);
  rig.reader.offline();
  rig.pool.flush();
  return play.report;
}

parentPort?.on('message', (part: Part) => parentPort?.postMessage(perform(part)));
