// Looking into the mock: what a domain maps, who has pages pinned, what caches hold.
import { IommuError } from '@faultline/core/errors';
import { type Caller, PAGE_BYTES } from '../../caller/index.ts';
import type { Command, Context } from '../../context/index.ts';
import { U64_MAX } from '../../memory/index.ts';
import { HWPT_DOMAIN } from '../../objects/index.ts';
import { OBJ_HWPT_NESTED, OBJ_HWPT_PAGING } from '../../uapi/index.ts';
import type { Lab } from '../lab.ts';
import {
  MOCK_CACHE_ENTRIES,
  MOCK_DEVICE_CACHE,
  MOCK_DOMAIN_IOTLB,
  MOCK_PAGE_BYTES,
  type MockDriver,
} from '../mock/index.ts';
import { TEST_DEV_CHECK_CACHE, TEST_MD_CHECK_IOTLB, TEST_MD_CHECK_MAP, TEST_MD_CHECK_REFS } from './layout.ts';
import { deviceNumber } from './pasid.ts';

/** A device's accesses reach the caller's own memory. @throws IommuError EINVAL misaligned, or elsewhere; ENOENT id; EFAULT uptr */
export function checkMap(driver: MockDriver): Command<typeof TEST_MD_CHECK_MAP> {
  const call = 'TEST_MD_CHECK_MAP';
  return {
    struct: TEST_MD_CHECK_MAP,
    run(context, { args, caller }) {
      const { iova, length, uptr } = args;
      checkAligned(call, [iova, length, uptr], MOCK_PAGE_BYTES);
      const domain = domainOf(context, call, args.id, OBJ_HWPT_PAGING);
      for (let at = 0n; at < length; at += BigInt(MOCK_PAGE_BYTES)) {
        const wanted = physicalOf(caller, call, uptr + at);
        const found = driver.access(domain, iova + at, false);
        if (found !== wanted)
          throw new IommuError('EINVAL', call, 'iova', iova + at, `goes to ${found} and not to ${wanted}`);
      }
    },
  };
}

/** Each page is pinned so often. @throws IommuError EIO not; EINVAL, EFAULT */
export function checkRefs(ram: Lab['ram']): Command<typeof TEST_MD_CHECK_REFS> {
  const call = 'TEST_MD_CHECK_REFS';
  return {
    struct: TEST_MD_CHECK_REFS,
    run(_context, { args, caller }) {
      const { length, uptr, refs } = args;
      checkAligned(call, [length, uptr], PAGE_BYTES);
      for (let at = 0n; at < length; at += BigInt(PAGE_BYTES)) {
        const pins = ram.pins(physicalOf(caller, call, uptr + at) / PAGE_BYTES);
        if (pins !== refs) throw new IommuError('EIO', call, 'uptr', uptr + at, `is pinned ${pins} times, not ${refs}`);
      }
    },
  };
}

export function checkIotlb(driver: MockDriver): Command<typeof TEST_MD_CHECK_IOTLB> {
  const call = 'TEST_MD_CHECK_IOTLB';
  return {
    struct: TEST_MD_CHECK_IOTLB,
    run(context, { args }) {
      const domain = domainOf(context, call, args.id, OBJ_HWPT_NESTED);
      checkEntry(context, call, driver.domainAt(domain) + MOCK_DOMAIN_IOTLB, args.iotlbId, args.iotlb);
    },
  };
}

export function checkDeviceCache(driver: MockDriver): Command<typeof TEST_DEV_CHECK_CACHE> {
  const call = 'TEST_DEV_CHECK_CACHE';
  return {
    struct: TEST_DEV_CHECK_CACHE,
    run(context, { args }) {
      const device = deviceNumber(context, call, args.id);
      checkEntry(context, call, driver.deviceAt(device) + MOCK_DEVICE_CACHE, args.cacheId, args.cache);
    },
  };
}

/** @throws IommuError EINVAL no such entry, or it holds something else. */
function checkEntry({ words }: Context, call: string, cacheAt: number, entry: number, wanted: number): void {
  const found = entry < MOCK_CACHE_ENTRIES ? words[cacheAt + entry] >>> 0 : undefined;
  if (found !== wanted) throw new IommuError('EINVAL', call, 'id', entry, `holds ${found} and not ${wanted}`);
}

/** @throws IommuError ENOENT */
export function domainOf({ objects, words }: Context, call: string, id: number, type: number): number {
  const hwpt = objects.get(call, 'id', id, type);
  const domain = words[objects.at(hwpt) + HWPT_DOMAIN];
  objects.put(hwpt);
  return domain;
}

/** Where a caller's byte is. @throws IommuError EFAULT */
export function physicalOf({ memory }: Caller, call: string, address: bigint): number {
  const inPage = address % BigInt(PAGE_BYTES);
  const page = memory.pin(address - inPage, false);
  if (page < 0) throw new IommuError('EFAULT', call, 'uptr', address, 'no memory is there');
  memory.unpin(page);
  return page + Number(inPage);
}

function checkAligned(call: string, values: readonly bigint[], bytes: number): void {
  for (const value of values)
    if (value % BigInt(bytes) !== 0n || value > U64_MAX)
      throw new IommuError('EINVAL', call, 'iova', value, `must be a multiple of ${bytes}`);
}
