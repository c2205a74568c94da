// Reserved IOVAs, the limit on temporary memory, dirty pages.
import { IommuError } from '@faultline/core/errors';
import type { Command } from '../../context/index.ts';
import { Ioas } from '../../ioas/index.ts';
import { IOAS_ALLOWED, IOAS_RESERVED } from '../../ioas/layout.ts';
import { addRange, meetsRange } from '../../ioas/ranges.ts';
import { U64_MAX } from '../../memory/index.ts';
import { OBJ_HWPT_PAGING, OBJ_IOAS } from '../../uapi/index.ts';
import { MOCK_BATCH_ENTRY_BYTES, type MockDriver } from '../mock/index.ts';
import { domainOf } from './check.ts';
import { TEST_ADD_RESERVED, TEST_DIRTY, TEST_SET_TEMP_MEMORY_LIMIT } from './layout.ts';

/** For as long as the IOAS lives. @throws IommuError ENOENT, EINVAL, EADDRINUSE it meets what is mapped or allowed. */
export const addReserved: Command<typeof TEST_ADD_RESERVED> = {
  struct: TEST_ADD_RESERVED,
  run(context, { args }) {
    const call = 'TEST_ADD_RESERVED';
    const { start, length } = args;
    const last = start + length - 1n;
    if (length === 0n || last > U64_MAX) throw new IommuError('EINVAL', call, 'length', length, 'is no range');
    const object = context.objects.get(call, 'id', args.id, OBJ_IOAS);
    try {
      const ioas = new Ioas(context, object);
      ioas.writeAreas(() => {
        if (ioas.areas.meeting(start, last) !== 0 || meetsRange(context.machine, ioas.at + IOAS_ALLOWED, start, last))
          throw new IommuError('EADDRINUSE', call, 'start', start, `up to ${last} is mapped, or allowed`);
        addRange(context.machine, call, ioas.at + IOAS_RESERVED, 0, { start, last });
      });
    } finally {
      context.objects.put(object);
    }
  },
};

export function setTempMemoryLimit(driver: MockDriver): Command<typeof TEST_SET_TEMP_MEMORY_LIMIT> {
  return {
    struct: TEST_SET_TEMP_MEMORY_LIMIT,
    run(_context, { args }) {
      if (args.limit < MOCK_BATCH_ENTRY_BYTES)
        throw new IommuError(
          'EINVAL',
          'TEST_SET_TEMP_MEMORY_LIMIT',
          'limit',
          args.limit,
          `must be at least ${MOCK_BATCH_ENTRY_BYTES}`,
        );
      driver.mapped.limit = args.limit;
    },
  };
}

/** Makes the pages dirty that a bitmap of the caller's names, and counts those that are mapped. */
export function dirty(driver: MockDriver): Command<typeof TEST_DIRTY> {
  const call = 'TEST_DIRTY';
  return {
    struct: TEST_DIRTY,
    run(context, { args, caller, respond }) {
      const { iova, length, pageSize, uptr } = args;
      const isRange = pageSize !== 0n && length !== 0n && iova % pageSize === 0n && length % pageSize === 0n;
      if (!isRange || uptr === 0n)
        throw new IommuError('EINVAL', call, 'iova', iova, `and length ${length} are no pages of ${pageSize}`);
      const domain = domainOf(context, call, args.id, OBJ_HWPT_PAGING);
      if (!driver.isTracking(domain)) throw new IommuError('EINVAL', call, 'id', args.id, 'tracks no dirty pages');
      const pages = Number(length / pageSize);
      const bitmap = new Uint8Array(Math.ceil(pages / 8));
      if (!caller.memory.read(uptr, bitmap)) throw new IommuError('EFAULT', call, 'uptr', uptr, 'cannot be read');
      args.outNrDirty = 0n;
      for (let page = 0; page < pages; page++)
        if (
          ((bitmap[page >>> 3] >>> (page & 7)) & 1) === 1 &&
          driver.mapped.setDirty(domain, iova + BigInt(page) * pageSize)
        )
          args.outNrDirty++;
      respond();
    },
  };
}
