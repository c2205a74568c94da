// IOAS_MAP, IOAS_MAP_FILE, IOAS_COPY, IOAS_UNMAP. @see Linux drivers/iommu/iommufd/ioas.c
import { IommuError } from '@faultline/core/errors';
import type { Command } from '../context/index.ts';
import { FILE_KIND, FILE_MEMORY, FILE_OBJECT } from '../files/layout.ts';
import { loadU64, U64_MAX } from '../memory/index.ts';
import {
  IOAS_COPY,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';
import { checkRange, contiguous } from './accesses.ts';
import { AREA_BYTE, AREA_PAGES, AREA_START } from './layout.ts';
import { type MapFields, mapPieces, type Piece } from './map-pages.ts';
import { checkFileRange, mapSource } from './map-source.ts';
import { getPages, NO_MEMORY_FILE, putPages } from './pages.ts';
import type { Ioas } from './tables.ts';
import { unmapRange } from './unmap.ts';
import { withIoas } from './with-ioas.ts';

const PROT = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
const COPY_FIELDS: MapFields = { place: 'dst_iova', memory: 'src_iova' };

export const ioasMap: Command<typeof IOAS_MAP> = {
  struct: IOAS_MAP,
  run(context, { args, caller, respond }) {
    const call = 'IOAS_MAP';
    const fixed = checkMap(call, args);
    withIoas(context, call, 'ioas_id', args.ioasId, (ioas) => {
      const source = { mm: caller.mm, start: args.userVa, length: args.length };
      args.iova = mapSource(ioas, call, caller, source, args.flags & PROT, fixed);
      respond();
    });
  },
};

/** What lies beyond the end of the file is found when it is pinned, and so is that it is no file in memory: EINVAL then.
 * @see Linux mm/gup.c memfd_pin_folios() */
export const ioasMapFile: Command<typeof IOAS_MAP_FILE> = {
  struct: IOAS_MAP_FILE,
  run(context, { args, caller, respond }) {
    const call = 'IOAS_MAP_FILE';
    const fixed = checkMap(call, args);
    withIoas(context, call, 'ioas_id', args.ioasId, (ioas) => {
      checkFileRange(call, args.start, args.length);
      const fileAt = caller.files.get(call, args.fd);
      try {
        const isMemory = context.words[fileAt + FILE_KIND] === FILE_MEMORY;
        const file = isMemory ? context.words[fileAt + FILE_OBJECT] : NO_MEMORY_FILE;
        if (isMemory) context.machine.fileOf(file).checkMap?.(call, args.start, args.length);
        const source = { file, start: args.start, length: args.length };
        args.iova = mapSource(ioas, call, caller, source, args.flags & PROT, fixed);
        respond();
      } finally {
        caller.files.put(fileAt);
      }
    });
  },
};

/** Maps memory that is mapped in an IOAS already, in the same or another: the pages are shared, and pinned once. */
export const ioasCopy: Command<typeof IOAS_COPY> = {
  struct: IOAS_COPY,
  run(context, { args, respond }) {
    const call = 'IOAS_COPY';
    checkKnownFlags(call, args.flags);
    checkFits(call, 'length', args.length);
    checkFits(call, 'src_iova', args.srcIova);
    checkFits(call, 'dst_iova', args.dstIova);
    checkProt(call, args.flags);
    const pieces = withIoas(context, call, 'src_ioas_id', args.srcIoasId, (ioas) =>
      piecesOf(ioas, call, args.srcIova, args.length),
    );
    const fixed = (args.flags & IOAS_MAP_FIXED_IOVA) !== 0 ? args.dstIova : undefined;
    try {
      withIoas(context, call, 'dst_ioas_id', args.dstIoasId, (ioas) => {
        args.dstIova = mapPieces(ioas, call, pieces, args.flags & PROT, fixed, COPY_FIELDS);
      });
    } catch (error) {
      for (const { pages } of pieces) putPages(context.machine, pages);
      throw error;
    }
    respond();
  },
};

/** Unmaps what lies wholly in the range; iova 0 with length 2^64 - 1: everything, also nothing.
 * @throws IommuError ENOENT nothing is there; ENOENT, EBUSY, EDEADLK see {@link unmapRange}: `length` then says nothing of what went before. */
export const ioasUnmap: Command<typeof IOAS_UNMAP> = {
  struct: IOAS_UNMAP,
  run(context, { args, respond }) {
    const call = 'IOAS_UNMAP';
    withIoas(context, call, 'ioas_id', args.ioasId, (ioas) => {
      if (args.iova === 0n && args.length === U64_MAX) {
        args.length = unmapRange(ioas, call, 0n, U64_MAX);
        return;
      }
      checkFits(call, 'iova', args.iova);
      checkFits(call, 'length', args.length);
      const bytes = unmapRange(ioas, call, args.iova, checkRange(call, args.iova, args.length));
      if (bytes === 0n) throw new IommuError('ENOENT', call, 'iova', args.iova, 'nothing is mapped there');
      args.length = bytes;
    });
    respond();
  },
};

/** @throws IommuError EOPNOTSUPP */
function checkKnownFlags(call: string, flags: number): void {
  if ((flags & ~(IOAS_MAP_FIXED_IOVA | PROT)) !== 0)
    throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'has bits that are not known');
}

/** @throws IommuError EOVERFLOW also without FIXED_IOVA, where an IOVA means nothing. */
function checkFits(call: string, field: string, value: bigint): void {
  if (value >= U64_MAX) throw new IommuError('EOVERFLOW', call, field, value, 'does not fit into the address space');
}

/** @throws IommuError EINVAL */
function checkProt(call: string, flags: number): void {
  if ((flags & PROT) === 0) throw new IommuError('EINVAL', call, 'flags', flags, 'neither readable nor writeable');
}

/** @returns where to, if the caller says. */
function checkMap(call: string, args: { flags: number; iova: bigint; length: bigint }): bigint | undefined {
  checkKnownFlags(call, args.flags);
  checkFits(call, 'iova', args.iova);
  checkFits(call, 'length', args.length);
  checkProt(call, args.flags);
  return (args.flags & IOAS_MAP_FIXED_IOVA) !== 0 ? args.iova : undefined;
}

/** What of which pages a range maps, each with a reference. @throws IommuError ENOENT a hole; EINVAL, EOVERFLOW the range. */
function piecesOf(ioas: Ioas, call: string, iova: bigint, length: bigint): Piece[] {
  const { machine, words } = ioas.context;
  const last = checkRange(call, iova, length, 'src_iova');
  const pieces: Piece[] = [];
  try {
    ioas.readAreas(() => {
      for (const { area, from, to } of contiguous(ioas, call, iova, last, 'src_iova')) {
        const at = machine.pools.areas.at(area);
        const pages = words[at + AREA_PAGES];
        getPages(machine, pages);
        const byte = loadU64(words, at + AREA_BYTE) + from - loadU64(words, at + AREA_START);
        pieces.push({ pages, byte, length: to - from + 1n, given: from });
      }
    });
  } catch (error) {
    for (const { pages } of pieces) putPages(machine, pages);
    throw error;
  }
  return pieces;
}
