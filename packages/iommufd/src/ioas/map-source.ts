import { IommuError } from '@faultline/core/errors';
import { type Account, type Caller, PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { CONTEXT_RLIMIT_MODE } from '../machine/layout.ts';
import { U64_MAX } from '../memory/index.ts';
import { IOAS_MAP_WRITEABLE } from '../uapi/index.ts';
import { PAGES_BYTE } from './layout.ts';
import { type MapFields, mapPieces } from './map-pages.ts';
import { ACCOUNT_NONE, ACCOUNT_PROCESS, ACCOUNT_USER, makePages, type PagesSource, putPages } from './pages.ts';
import type { Ioas } from './tables.ts';

const MOST_BYTES: bigint = U64_MAX - BigInt(PAGE_BYTES);

/** Bytes of a process's memory, or of a file. */
export interface MapSource extends PagesSource {
  readonly length: bigint;
}

/** Whose limit holds for who is bound by one. */
function accountOf({ words, at }: Context): Account {
  return Atomics.load(words, at + CONTEXT_RLIMIT_MODE) === 1 ? ACCOUNT_PROCESS : ACCOUNT_USER;
}

const OF_PROCESS: MapFields = { place: 'iova', memory: 'user_va' };
const OF_FILE: MapFields = { place: 'iova', memory: 'start' };

/** What is asked of a file's bytes before it is asked which file. @throws IommuError EINVAL, EOVERFLOW
 * @see Linux drivers/iommu/iommufd/io_pagetable.c iopt_map_file_pages() */
export function checkFileRange(call: string, start: bigint, length: bigint): void {
  if (length === 0n) throw new IommuError('EINVAL', call, 'length', length, 'must not be 0');
  if (start + length - 1n > U64_MAX)
    throw new IommuError('EOVERFLOW', call, OF_FILE.memory, start, `${length} bytes from there wrap`);
}

/** Maps memory that no IOAS has yet, charged to the caller. @param prot IOAS_MAP_READABLE, _WRITEABLE, both or none.
 * @param fixed where to; undefined: wherever there is room. @returns the first IOVA.
 * @throws IommuError EOVERFLOW the source wraps, EINVAL its length, and what {@link mapPieces} throws. Nothing is mapped then. */
export function mapSource(
  ioas: Ioas,
  call: string,
  caller: Caller,
  source: MapSource,
  prot: number,
  fixed: bigint | undefined,
): bigint {
  const { context } = ioas;
  const { machine, words } = context;
  const { length, start } = source;
  const fields = source.mm === undefined ? OF_FILE : OF_PROCESS;
  if (source.mm !== undefined && start + length > U64_MAX)
    throw new IommuError('EOVERFLOW', call, fields.memory, start, `${length} bytes from there wrap`);
  if (length === 0n || length > MOST_BYTES)
    throw new IommuError('EINVAL', call, 'length', length, `must be from 1 to 2^64 - 1 - ${PAGE_BYTES}`);
  const account = caller.privileged ? ACCOUNT_NONE : accountOf(context);
  const writable = (prot & IOAS_MAP_WRITEABLE) !== 0;
  const pages = makePages(context, call, source, { writable, account, charged: caller.mm });
  try {
    const byte = BigInt(words[machine.pools.pages.at(pages) + PAGES_BYTE]);
    return mapPieces(ioas, call, [{ pages, byte, length, given: start }], prot, fixed, fields);
  } catch (error) {
    putPages(machine, pages);
    throw error;
  }
}
