// One thread of page-table.threads.test.ts: does its part until it is done or told to stop, and posts what it counted and saw wrong.
import { parentPort, workerData } from 'node:worker_threads';
import type { LeafView } from './describe.ts';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { granulePages, Rig } from './rig.test-help.ts';
import { type Part, READY, type Report, STOP } from './threads.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const part = workerData as Part;
const rig = new Rig(part.shared, part.id);
const { table } = rig;
const step = granulePages(table);
const report: Report = { wrong: [], counts: {} };
let state = (Math.imul(part.seed, 0x9e3779b1) + Math.imul(part.id, 0x85ebca6b)) | 1;

/** xorshift32. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}
const stopped = (): boolean => Atomics.load(part.shared.words, STOP) !== 0;
function count(name: string, by = 1): void {
  report.counts[name] = (report.counts[name] ?? 0) + by;
}
const wrong = (what: string): void => void (report.wrong.length < 5 && report.wrong.push(what));
/** Output page of a page that is mapped one to one, with a distance that is aligned to nothing. */
const outputOf = (page: number): number => page + part.distance;

const roles: Record<Part['role'], () => void> = {
  /** Owns every `stride`th range of `length` pages: maps it, checks it, unmaps it, in one go or piecewise. */
  owner() {
    for (let round = 0; round < part.rounds; round++) {
      for (let at = part.start; at < part.end; at += part.stride) {
        table.map(at, outputOf(at), part.length, RW);
        const page = at + random(part.length / step) * step;
        if (table.iovaToPhys(page) !== outputOf(page)) wrong(`round ${round}: page ${page} leads elsewhere`);
      }
      for (let at = part.start; at < part.end; at += part.stride) {
        const piece = random(3) === 0 ? part.piece : part.length;
        for (let done = 0; done < part.length; done += piece) {
          const unmapped = table.unmap(at + done, piece);
          if (unmapped !== piece) wrong(`round ${round}: ${unmapped} of ${piece} pages unmapped at ${at + done}`);
        }
        if (table.iovaToPhys(at) !== -1) wrong(`round ${round}: page ${at} is still there`);
        if (random(4) === 0) table.gather.sync();
        table.deferred.poll();
        rig.reader.quiescent();
      }
    }
    count('lost races', table.tree.lostRaces);
  },

  /** Sweeps everything, over and over. */
  sweeper() {
    const bitmap = new DirtyBitmap(part.start, part.end - part.start);
    while (!stopped()) {
      count('dirty', table.readAndClearDirty(part.start, part.end - part.start, bitmap, table.gather, part.method));
      table.gather.sync();
      count('sweeps');
      rig.reader.quiescent();
    }
    count('dirty', table.readAndClearDirty(part.start, part.end - part.start, bitmap, table.gather, part.method));
  },

  /** Dumps everything, over and over. */
  dumper() {
    const visitor = {
      leaf({ page, oaPage }: LeafView): void {
        count('leaves');
        if (oaPage !== outputOf(page)) wrong(`a dump met ${oaPage} at page ${page}`);
      },
    };
    while (!stopped()) {
      table.visit(visitor);
      count('dumps');
      rig.reader.quiescent();
    }
  },

  /** Plays hardware: reads and writes anywhere, and notes in the log that a write is done. */
  hardware() {
    const walker = table.walker(rig.port(part.walker), { tlbEntries: part.tlbEntries });
    for (let write = 1; !stopped(); write++) {
      const page = part.start + random((part.end - part.start) / step) * step;
      const found = walker.access(page, part.log !== undefined || random(2) === 0);
      if (found >= 0 && found !== outputOf(page)) wrong(`page ${page} translated to ${found}`);
      if (part.log !== undefined && found >= 0) Atomics.store(part.log, (page - part.start) / step, write);
      if ((write & 15) === 0) rig.reader.quiescent();
    }
    walker.idle();
    count('marks', walker.marks);
    count('retries', walker.retries);
    count('walks', walker.walks);
  },

  /** Cuts and promotes what is mapped. */
  resizer() {
    const { sizesLg2 } = table.tree.format;
    for (let round = 0; round < part.rounds; round++) {
      const sizeLg2 = sizesLg2[1];
      const size = 2 ** (sizeLg2 - 12);
      const page = part.start + random((part.end - part.start) / size) * size;
      if (round % 2 === 0) table.cut(page);
      else count('promoted', table.promote(page, sizeLg2) ? 1 : 0);
      table.gather.sync();
      table.deferred.poll();
      rig.reader.quiescent();
    }
  },

  /** Sweeps, and holds what it reports against the log of writes. */
  auditor() {
    const { log } = part;
    if (log === undefined) throw new Error('an auditor needs the log');
    const pages = (part.end - part.start) / step;
    const covered = new Int32Array(pages); // writes that a report of the page has covered
    const before = new Int32Array(pages);
    const bitmap = new DirtyBitmap(part.start, part.end - part.start);
    for (let last = false; !last; ) {
      last = stopped();
      for (let page = 0; page < pages; page++) before[page] = Atomics.load(log, page);
      bitmap.clear();
      table.readAndClearDirty(part.start, part.end - part.start, bitmap, table.gather, part.method);
      table.gather.sync();
      for (let page = 0; page < pages; page++) {
        if (bitmap.has(part.start + page * step)) covered[page] = Atomics.load(log, page);
        else if (before[page] > covered[page] && (last || part.strict)) {
          wrong(`write ${before[page]} to page ${page} was not reported`);
          covered[page] = before[page];
        }
      }
      count('sweeps');
      rig.reader.quiescent();
    }
  },
};

const { words } = part.shared;
if (Atomics.add(words, READY, 1) + 1 === part.parts) Atomics.notify(words, READY);
for (let ready = Atomics.load(words, READY); ready < part.parts; ready = Atomics.load(words, READY))
  Atomics.wait(words, READY, ready);
roles[part.role]();
table.gather.sync();
table.deferred.flush(rig.self);
rig.reader.offline();
rig.pool.flush();
parentPort?.postMessage(report);
