// IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS: where mappings may go.
import { IommuError } from '@faultline/core/errors';
import type { Caller } from '../caller/index.ts';
import type { Command } from '../context/index.ts';
import type { IovaRange } from '../driver/index.ts';
import { U64_MAX } from '../memory/index.ts';
import { IOAS_ALLOW_IOVAS, IOAS_IOVA_RANGES } from '../uapi/index.ts';
import { IOAS_ALIGNMENT, IOAS_ALLOWED, IOAS_RESERVED } from './layout.ts';
import { addRange, checkRanges, gapsOf, meetsRange, rangesOf, removeRanges } from './ranges.ts';
import { withIoas } from './with-ioas.ts';

/** {start, last}, 64 bits each. */
const RANGE_BYTES = 16;
/** More is refused: a list is read as a whole. */
const MAX_RANGES = 65_536;

/** Tells the gaps between reserved ranges. EMSGSIZE, with as many as fit and their real number, when there is too little room.
 * @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_iova_ranges() */
export const ioasIovaRanges: Command<typeof IOAS_IOVA_RANGES> = {
  struct: IOAS_IOVA_RANGES,
  run(context, { args, caller, respond }) {
    const call = 'IOAS_IOVA_RANGES';
    const room = args.numIovas;
    const { gaps, alignment } = withIoas(context, call, 'ioas_id', args.ioasId, (ioas) =>
      ioas.readAreas(() => ({
        gaps: gapsOf(rangesOf(context.machine, ioas.at + IOAS_RESERVED), 0n, U64_MAX),
        alignment: context.words[ioas.at + IOAS_ALIGNMENT],
      })),
    );
    gaps.slice(0, room).forEach((gap, i) => {
      writeRange(caller, call, args.allowedIovas + BigInt(i * RANGE_BYTES), gap);
    });
    args.numIovas = gaps.length;
    args.outIovaAlignment = BigInt(alignment);
    respond();
    if (gaps.length > room)
      throw new IommuError('EMSGSIZE', call, 'num_iovas', room, `there are ${gaps.length} ranges`);
  },
};

/** Narrows where mappings without an address go: the whole list at once, none to lift it.
 * @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_allow_iovas() */
export const ioasAllowIovas: Command<typeof IOAS_ALLOW_IOVAS> = {
  struct: IOAS_ALLOW_IOVAS,
  run(context, { args, caller }) {
    const call = 'IOAS_ALLOW_IOVAS';
    const { machine, words } = context;
    withIoas(context, call, 'ioas_id', args.ioasId, (ioas) => {
      const ranges = readRanges(caller, call, args.allowedIovas, args.numIovas);
      ioas.writeAreas(() => {
        for (const { start, last } of ranges)
          if (meetsRange(machine, ioas.at + IOAS_RESERVED, start, last))
            throw new IommuError(
              'EADDRINUSE',
              call,
              'allowed_iovas.start',
              start,
              `up to ${last} meets a reserved range`,
            );
        const old = words[ioas.at + IOAS_ALLOWED];
        words[ioas.at + IOAS_ALLOWED] = 0;
        try {
          for (const range of ranges) addRange(machine, call, ioas.at + IOAS_ALLOWED, 0, range);
        } catch (error) {
          removeRanges(machine, ioas.at + IOAS_ALLOWED);
          words[ioas.at + IOAS_ALLOWED] = old;
          throw error;
        }
        const fresh = words[ioas.at + IOAS_ALLOWED];
        words[ioas.at + IOAS_ALLOWED] = old;
        removeRanges(machine, ioas.at + IOAS_ALLOWED);
        words[ioas.at + IOAS_ALLOWED] = fresh;
      });
    });
  },
};

/** In the caller's order: what is wrong with a range comes before what of the list behind it cannot be read. */
function readRanges(caller: Caller, call: string, address: bigint, count: number): IovaRange[] {
  const most = Math.min(count, MAX_RANGES);
  const bytes = new Uint8Array(most * RANGE_BYTES);
  const readable = caller.memory.read(address, bytes) ? most : readOneByOne(caller, address, bytes);
  const view = new DataView(bytes.buffer);
  const ranges = Array.from({ length: readable }, (_, i) => ({
    start: view.getBigUint64(i * RANGE_BYTES, true),
    last: view.getBigUint64(i * RANGE_BYTES + 8, true),
  }));
  checkRanges(call, ranges);
  if (readable < most)
    throw new IommuError('EFAULT', call, 'allowed_iovas', address, `range ${readable} of ${count} cannot be read`);
  if (most < count) throw new IommuError('ENOMEM', call, 'num_iovas', count, `more than ${MAX_RANGES} are not read`);
  return ranges;
}

/** @returns how many could be. */
function readOneByOne(caller: Caller, address: bigint, into: Uint8Array): number {
  let at = 0;
  while (at < into.length && caller.memory.read(address + BigInt(at), into.subarray(at, at + RANGE_BYTES)))
    at += RANGE_BYTES;
  return at / RANGE_BYTES;
}

function writeRange(caller: Caller, call: string, address: bigint, { start, last }: IovaRange): void {
  const bytes = new Uint8Array(RANGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, start, true);
  view.setBigUint64(8, last, true);
  if (!caller.memory.write(address, bytes))
    throw new IommuError('EFAULT', call, 'allowed_iovas', address, 'cannot be written');
}
