// Several IOASes, mapped, copied, unmapped and linked to domains at random, beside a model: a list of areas each.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryFile, PAGE_BYTES } from '../caller/index.ts';
import { FILE_MEMORY } from '../files/layout.ts';
import { HWPT_DOMAIN } from '../objects/index.ts';
import { makeRig, type Rig } from '../testing/rig.test-help.ts';
import {
  HWPT_ALLOC,
  IOAS_ALLOC,
  IOAS_COPY,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
  OBJ_HWPT_PAGING,
} from '../uapi/index.ts';

const PAGE = BigInt(PAGE_BYTES);
const RW = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
/** The mock's aperture begins at page 4096: some places lie before it. */
const FIRST = 4094;
const PLACES = 14;
const APERTURE = 4096;
const IOASES = 3;
/** Pages of memory and of the file; sources may reach two pages further. */
const SOURCE = 8;

/** An area: what of which source it has. Areas of one source share its pages. */
interface ModelArea {
  readonly iova: number;
  readonly count: number;
  readonly source: Source;
  readonly first: number;
}
interface Source {
  readonly file: boolean;
  readonly writable: boolean;
}
interface ModelIoas {
  readonly id: number;
  areas: ModelArea[];
  readonly hwpts: { readonly id: number; readonly domain: number }[];
}

const end = ({ iova, count }: { readonly iova: number; readonly count: number }): number => iova + count;
const meets = (area: ModelArea, iova: number, count: number): boolean => area.iova < iova + count && iova < end(area);

class World {
  readonly rig: Rig = makeRig({ frames: 256, window: 128, domains: 16 });
  readonly memory: bigint;
  readonly file: MemoryFile;
  readonly fd: number;
  readonly devId: number;
  readonly ioases: readonly ModelIoas[];

  constructor() {
    const { rig } = this;
    this.memory = rig.memory.mmap(SOURCE * PAGE_BYTES);
    this.file = MemoryFile.create(rig.lab.ram, SOURCE * PAGE_BYTES);
    rig.lab.mappable.set(1, this.file);
    this.fd = rig.lab.caller(1).files.install('test', FILE_MEMORY, 0, 1);
    this.devId = rig.bind(1);
    this.ioases = Array.from({ length: IOASES }, () => ({ id: rig.call(IOAS_ALLOC).outIoasId, areas: [], hwpts: [] }));
    for (let page = 0; page < SOURCE; page++)
      rig.memory.write(this.memory + BigInt(page) * PAGE, new Uint8Array([100 + page]));
    this.file.frames.forEach((frame, page) => {
      rig.lab.ram.bytes[frame * PAGE_BYTES] = 200 + page;
    });
  }

  frame({ file }: Source, page: number): number {
    if (page >= SOURCE) return 0;
    return file ? this.file.frames[page] : this.rig.memory.frameAt(this.memory + BigInt(page) * PAGE);
  }

  /** Why new areas cannot go to a place, '' when they can. */
  refusal(ioas: ModelIoas, iova: number, pieces: readonly ModelArea[], write: boolean): string {
    const count = pieces.reduce((sum, piece) => sum + piece.count, 0);
    if (ioas.hwpts.length > 0 && iova < APERTURE) return 'EINVAL';
    if (ioas.areas.some((area) => meets(area, iova, count))) return 'EEXIST';
    if (write && pieces.some(({ source }) => !source.writable)) return 'EPERM';
    return ioas.hwpts.length > 0 ? this.absent(pieces) : '';
  }

  /** What pinning says to pages that are not there. */
  absent(areas: readonly ModelArea[]): string {
    const first = areas.find((area) => area.first + area.count > SOURCE);
    if (first === undefined) return '';
    return first.source.file ? 'EINVAL' : 'EFAULT';
  }

  map(of: number, iova: number, count: number, first: number, file: boolean, write: boolean): void {
    const ioas = this.ioases[of];
    const piece = { iova, count, first, source: { file, writable: write } };
    const args = { ioasId: ioas.id, flags: this.flags(write), length: BigInt(count) * PAGE, iova: BigInt(iova) * PAGE };
    const start = BigInt(first) * PAGE;
    const refusal = file
      ? this.rig.refusal(IOAS_MAP_FILE, { ...args, fd: this.fd, start })
      : this.rig.refusal(IOAS_MAP, { ...args, userVa: this.memory + start });
    expect(refusal.split(' ')[0]).toBe(this.refusal(ioas, iova, [piece], write));
    if (refusal === '') ioas.areas.push(piece);
  }

  mapAnywhere(of: number, count: number, first: number): void {
    const ioas = this.ioases[of];
    const source = { file: false, writable: true };
    const length = BigInt(count) * PAGE;
    const userVa = this.memory + BigInt(first) * PAGE;
    if (first + count > SOURCE) return;
    const { iova } = this.rig.call(IOAS_MAP, { ioasId: ioas.id, flags: RW, length, userVa });
    const place = Number(iova / PAGE);
    expect(iova).toBe(BigInt(place) * PAGE);
    expect(this.refusal(ioas, place, [{ iova: place, count, first, source }], true)).toBe('');
    expect(place).toBeGreaterThan(0);
    ioas.areas.push({ iova: place, count, first, source });
  }

  copy(from: number, to: number, src: number, dst: number, count: number, write: boolean): void {
    const [source, ioas] = [this.ioases[from], this.ioases[to]];
    const pieces: ModelArea[] = [];
    for (let at = src; at < src + count; ) {
      const area = source.areas.find((each) => meets(each, at, 1));
      if (area === undefined) break;
      const taken = Math.min(end(area), src + count) - at;
      pieces.push({ ...area, iova: dst + at - src, count: taken, first: area.first + at - area.iova });
      at += taken;
    }
    const whole = pieces.reduce((sum, piece) => sum + piece.count, 0) === count;
    const refusal = this.rig.refusal(IOAS_COPY, {
      srcIoasId: source.id,
      dstIoasId: ioas.id,
      flags: this.flags(write),
      srcIova: BigInt(src) * PAGE,
      dstIova: BigInt(dst) * PAGE,
      length: BigInt(count) * PAGE,
    });
    expect(refusal.split(' ')[0]).toBe(whole ? this.refusal(ioas, dst, pieces, write) : 'ENOENT');
    if (refusal === '') ioas.areas.push(...pieces);
  }

  /** Areas go one by one, up to the first that sticks out. */
  unmap(of: number, iova: number, count: number): void {
    const ioas = this.ioases[of];
    const hit = ioas.areas.filter((area) => meets(area, iova, count)).sort((a, b) => a.iova - b.iova);
    const bad = hit.findIndex((area) => area.iova < iova || end(area) > iova + count);
    const gone = bad < 0 ? hit : hit.slice(0, bad);
    const args = { ioasId: ioas.id, iova: BigInt(iova) * PAGE, length: BigInt(count) * PAGE };
    if (bad >= 0 || hit.length === 0) expect(this.rig.refusal(IOAS_UNMAP, args)).toBe('ENOENT iova');
    else
      expect(this.rig.call(IOAS_UNMAP, args).length).toBe(
        PAGE * BigInt(gone.reduce((sum, each) => sum + each.count, 0)),
      );
    ioas.areas = ioas.areas.filter((area) => !gone.includes(area));
  }

  link(of: number): void {
    const ioas = this.ioases[of];
    if (ioas.hwpts.length === 3) return;
    const outside = ioas.hwpts.length === 0 && ioas.areas.some(({ iova }) => iova < APERTURE);
    const sorted = [...ioas.areas].sort((a, b) => a.iova - b.iova);
    const expected = outside ? 'EADDRINUSE' : this.absent(sorted);
    const args = { devId: this.devId, ptId: ioas.id };
    if (expected !== '') {
      expect(this.rig.refusal(HWPT_ALLOC, args).split(' ')[0]).toBe(expected);
      return;
    }
    const id = this.rig.call(HWPT_ALLOC, args).outHwptId;
    const { objects, words } = this.rig.context;
    const object = objects.get('test', 'id', id, OBJ_HWPT_PAGING);
    ioas.hwpts.push({ id, domain: words[objects.at(object) + HWPT_DOMAIN] });
    objects.put(object);
  }

  unlink(of: number, which: number): void {
    const { hwpts } = this.ioases[of];
    if (hwpts.length === 0) return;
    const [{ id }] = hwpts.splice(which % hwpts.length, 1);
    this.rig.destroy(id);
  }

  flags(write: boolean): number {
    return IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | (write ? IOAS_MAP_WRITEABLE : 0);
  }

  /** Every domain holds what its IOAS maps, and nothing else; what is pinned is pinned once. */
  check(): void {
    const { driver, ram } = this.rig.lab;
    const pinned = new Map<Source, Set<number>>();
    let mapped = 0;
    for (const { areas, hwpts } of this.ioases) {
      for (const { domain } of hwpts) {
        for (let place = FIRST; place < FIRST + PLACES + 8; place++) {
          const area = areas.find((each) => meets(each, place, 1));
          const physical = driver.iovaToPhys(domain, BigInt(place) * PAGE + 2049n);
          if (area === undefined) {
            expect(physical).toBe(-1);
            continue;
          }
          const page = area.first + place - area.iova;
          expect(physical).toBe(this.frame(area.source, page) * PAGE_BYTES + 2049);
          expect(ram.bytes[physical - 2049]).toBe((area.source.file ? 200 : 100) + page);
          const pages = pinned.get(area.source) ?? new Set();
          pinned.set(area.source, pages.add(page));
          mapped += 2;
        }
        for (const { iova } of areas) expect(iova).toBeLessThan(FIRST + PLACES + 8);
      }
    }
    expect(driver.pages.used()).toBe(mapped);
    expect(ram.pinned()).toBe([...pinned.values()].reduce((sum, pages) => sum + pages.size, 0));
  }

  end(): void {
    for (const { hwpts } of this.ioases) for (const { id } of hwpts) this.rig.destroy(id);
    expect(this.rig.lab.ram.pinned()).toBe(0);
  }
}

const of = fc.nat({ max: IOASES - 1 });
const place = fc.integer({ min: FIRST, max: FIRST + PLACES });
const count = fc.integer({ min: 1, max: 4 });
const first = fc.nat({ max: SOURCE - 2 });
const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.tuple(of, place, count, first, fc.boolean(), fc.boolean()).map((args) => (world: World) => world.map(...args)),
  fc.tuple(of, place, count, first, fc.boolean(), fc.boolean()).map((args) => (world: World) => world.map(...args)),
  fc.tuple(of, of, place, place, count, fc.boolean()).map((args) => (world: World) => world.copy(...args)),
  fc.tuple(of, of, place, place, count, fc.boolean()).map((args) => (world: World) => world.copy(...args)),
  fc.tuple(of, place, fc.integer({ min: 1, max: 8 })).map((args) => (world: World) => world.unmap(...args)),
  of.map((which) => (world: World) => world.link(which)),
  fc.tuple(of, fc.nat({ max: 2 })).map((args) => (world: World) => world.unlink(...args)),
);

test('IOASes and their domains hold what a plain model holds', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), (steps) => {
      const world = new World();
      for (const each of steps) {
        each(world);
        world.check();
      }
      world.end();
    }),
    { numRuns: 150 },
  );
});

test('a place of the IOAS’s own choice is free, aligned, and within what domains hold', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(count, first), { maxLength: 12 }),
      fc.boolean(),
      fc.array(fc.tuple(place, count), { maxLength: 4 }),
      (maps, linked, taken) => {
        const world = new World();
        if (linked) world.link(0);
        for (const [iova, pages] of taken) world.map(0, iova, pages, 0, false, true);
        for (const args of maps) world.mapAnywhere(0, ...args);
        world.end();
      },
    ),
    { numRuns: 60 },
  );
});
