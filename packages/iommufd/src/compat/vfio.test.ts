import { describe, expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, unbindDevice } from '../device/index.ts';
import { type ByteRig, makeByteRig } from '../testing/bytes.test-help.ts';
import { HWPT_ALLOC, IOAS_ALLOC, VFIO_IOAS, VFIO_IOAS_CLEAR, VFIO_IOAS_GET, VFIO_IOAS_SET } from '../uapi/index.ts';
import { compatIoasId } from './index.ts';

const PAGE = BigInt(PAGE_BYTES);
const BASE = 1n << 24n;
const [GET_API_VERSION, CHECK_EXTENSION, SET_IOMMU] = [0x3b64, 0x3b65, 0x3b66];
const [GET_INFO, MAP_DMA, UNMAP_DMA, DIRTY_PAGES] = [0x3b70, 0x3b71, 0x3b72, 0x3b75];
const READ_WRITE = 3;
const ALL = 2;

/** argsz, flags, and 64-bit fields behind them. */
function send(
  rig: ByteRig,
  request: number,
  flags: number,
  fields: readonly bigint[],
  argsz?: number,
): number | string {
  const bytes = new Uint8Array(8 + fields.length * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, argsz ?? bytes.length, true);
  view.setUint32(4, flags, true);
  fields.forEach((field, i) => {
    view.setBigUint64(8 + 8 * i, field, true);
  });
  rig.memory.write(rig.page, bytes);
  return rig.ioctl(request);
}
function answer(rig: ByteRig, bytes: number): DataView {
  const into = new Uint8Array(bytes);
  rig.memory.read(rig.page, into);
  return new DataView(into.buffer);
}
const mapDma = (rig: ByteRig, vaddr: bigint, iova: bigint, size: bigint, flags: number = READ_WRITE): number | string =>
  send(rig, MAP_DMA, flags, [vaddr, iova, size]);
/** @returns the refusal, or bytes unmapped. */
function unmapDma(rig: ByteRig, iova: bigint, size: bigint, flags: number = 0): bigint | string {
  const result = send(rig, UNMAP_DMA, flags, [iova, size]);
  return result === 0 ? answer(rig, 24).getBigUint64(16, true) : String(result);
}

describe('which IOAS', () => {
  test('without one, calls that need it find no device; those that do not, answer', () => {
    const rig = makeByteRig();
    expect(rig.ioctl(GET_API_VERSION)).toBe(0);
    expect([1n, 3n, 9n].map((type) => rig.ioctl(CHECK_EXTENSION, type))).toEqual([1, 1, 1]);
    expect([6n, 8n, 10n, 77n].map((type) => rig.ioctl(CHECK_EXTENSION, type))).toEqual([0, 0, 0, 0]);
    expect(rig.ioctl(CHECK_EXTENSION, 4n)).toBe('ENODEV');
    expect(rig.ioctl(SET_IOMMU, 1n)).toBe('ENODEV');
    expect(rig.ioctl(SET_IOMMU, 8n)).toBe('EINVAL');
    expect(mapDma(rig, rig.page, BASE, PAGE)).toBe('ENODEV');
    expect(unmapDma(rig, BASE, PAGE)).toBe('ENODEV');
    expect(send(rig, GET_INFO, 0, [0n])).toBe('ENODEV');
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_GET })).toBe('ENODEV');
    expect(rig.ioctl(DIRTY_PAGES)).toBe('ENOTTY');
    rig.expectNothingLeft();
  });

  test('it is set, asked for, cleared; it goes with its IOAS', () => {
    const rig = makeByteRig();
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_SET, ioasId: 77 })).toBe('ENOENT');
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_SET, ioasId })).toBe(0);
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_GET })).toBe(0);
    expect(rig.received(VFIO_IOAS).ioasId).toBe(ioasId);
    expect(rig.ioctl(CHECK_EXTENSION, 4n)).toBe(1);
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_CLEAR })).toBe(0);
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_GET })).toBe('ENODEV');
    expect(rig.send(VFIO_IOAS, { op: 3 })).toBe('EOPNOTSUPP');
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_SET, ioasId })).toBe(0);
    rig.destroy(ioasId);
    expect(rig.send(VFIO_IOAS, { op: VFIO_IOAS_GET })).toBe('ENODEV');
    const fresh = compatIoasId(rig.context);
    expect(compatIoasId(rig.context)).toBe(fresh);
    expect(rig.lab.machine.live().objects).toBe(1);
    rig.expectNothingLeft();
  });
});

/** A context with a compat IOAS, under a mock domain or not. */
function compatRig(domain: boolean, type?: bigint): { rig: ByteRig; memory: bigint; id: number; end(): void } {
  const rig = makeByteRig();
  const ptId = compatIoasId(rig.context);
  if (type !== undefined) expect(rig.ioctl(SET_IOMMU, type)).toBe(0);
  const memory = rig.memory.mmap(8 * PAGE_BYTES, { huge: true });
  const id = rig.bind(1);
  if (domain) attachDevice(rig.context, id, { ptId });
  const end = (): void => {
    detachDevice(rig.context, id);
    unbindDevice(rig.context, id);
    rig.expectNothingLeft();
  };
  return { rig, memory, id, end };
}

test('arguments of map and unmap', () => {
  const { rig, memory, end } = compatRig(true);
  expect(send(rig, MAP_DMA, READ_WRITE, [memory, BASE, PAGE], 31)).toBe('EINVAL');
  expect(send(rig, UNMAP_DMA, 0, [BASE, PAGE], 23)).toBe('EINVAL');
  expect(mapDma(rig, memory, BASE, PAGE, 4)).toBe('EINVAL');
  expect(mapDma(rig, memory, BASE, 0n)).toBe('EINVAL');
  expect(mapDma(rig, memory, 0n, PAGE)).toBe('EINVAL'); // outside the aperture
  expect(mapDma(rig, 1n, BASE, PAGE)).toBe('EINVAL'); // not aligned as the IOMMU's pages
  expect(mapDma(rig, 4096n, BASE, PAGE)).toBe('EFAULT');
  expect(rig.ioctl(MAP_DMA, 0n)).toBe('EFAULT');
  expect(mapDma(rig, memory, BASE, PAGE)).toBe(0);
  expect(mapDma(rig, memory, BASE, PAGE)).toBe('EEXIST');
  expect(unmapDma(rig, BASE, PAGE, 1)).toBe('EINVAL');
  expect(unmapDma(rig, 0n, PAGE, ALL)).toBe('EINVAL');
  expect(unmapDma(rig, PAGE, 0n, ALL)).toBe('EINVAL');
  expect(unmapDma(rig, 0n, 0n)).toBe('EINVAL');
  expect(unmapDma(rig, 2n ** 64n - PAGE, 2n * PAGE)).toBe('EOVERFLOW');
  expect(answer(rig, 24).getBigUint64(16, true)).toBe(0n); // so much was unmapped
  expect(unmapDma(rig, BASE, PAGE)).toBe(PAGE);
  expect(unmapDma(rig, BASE, PAGE)).toBe(0n); // nothing is a success here
  expect(unmapDma(rig, 0n, 0n, ALL)).toBe(0n);
  expect(mapDma(rig, memory, BASE, 2n * PAGE)).toBe(0);
  expect(mapDma(rig, memory, BASE + 4n * PAGE, PAGE)).toBe(0);
  expect(unmapDma(rig, 0n, 0n, ALL)).toBe(3n * PAGE);
  end();
});

describe('unmapping in the middle', () => {
  test('is refused by type 1 v2, and nothing goes', () => {
    const { rig, memory, end } = compatRig(true, 3n);
    expect(mapDma(rig, memory, BASE, 4n * PAGE)).toBe(0);
    expect(unmapDma(rig, BASE + PAGE, PAGE)).toBe('ENOENT');
    expect(answer(rig, 24).getBigUint64(16, true)).toBe(0n);
    expect(unmapDma(rig, BASE, 4n * PAGE)).toBe(4n * PAGE);
    end();
  });

  test.each([true, false])('cuts areas for type 1, with a domain: %s', (domain) => {
    const { rig, memory, end } = compatRig(domain, 1n);
    const physical = (page: number): number => rig.lab.driver.iovaToPhys(1, BASE + BigInt(page) * PAGE);
    expect(mapDma(rig, memory, BASE, 8n * PAGE)).toBe(0);
    const places = [0, 1, 2, 3, 4, 5, 6, 7].map(physical);
    expect(unmapDma(rig, BASE + PAGE, 2n * PAGE)).toBe(2n * PAGE);
    expect(unmapDma(rig, BASE + 5n * PAGE, PAGE)).toBe(PAGE);
    const gone = [1, 2, 5];
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(physical)).toEqual(places.map((place, i) => (gone.includes(i) ? -1 : place)));
    expect(rig.lab.ram.pinned()).toBe(domain ? 5 : 0);
    expect(rig.lab.machine.live()).toMatchObject({ areas: 3, pages: 1 });
    expect(unmapDma(rig, BASE + PAGE / 2n, PAGE)).toBe('EINVAL'); // within a page
    expect(unmapDma(rig, BASE, 8n * PAGE)).toBe(5n * PAGE);
    expect(rig.lab.machine.live().pages).toBe(0);
    end();
  });
});

describe('what the IOMMU is like', () => {
  const WHOLE = 24 + 12 + 16 + 16;
  test('page sizes, with and without a domain', () => {
    const { rig, end } = compatRig(false);
    expect(send(rig, GET_INFO, 0, [0n], 15)).toBe('EINVAL');
    expect(send(rig, GET_INFO, 0, [0n], 16)).toBe(0);
    expect(answer(rig, 16).getBigUint64(8, true)).toBe(2n ** 64n - 4096n);
    expect(answer(rig, 16).getUint32(0, true)).toBe(WHOLE); // what all of it wants
    end();
    const linked = compatRig(true);
    expect(send(linked.rig, GET_INFO, 0, [0n], 16)).toBe(0);
    expect(answer(linked.rig, 16).getBigUint64(8, true)).toBe(4096n); // of 2048
    linked.end();
  });

  test('of page sizes, those that all domains have', () => {
    const { rig, id, end } = compatRig(false);
    const { driver } = rig.lab;
    const ptId = compatIoasId(rig.context);
    const sizes = (): bigint => {
      expect(send(rig, GET_INFO, 0, [0n], 16)).toBe(0);
      return answer(rig, 16).getBigUint64(8, true);
    };
    const { allocPaging } = driver;
    const add = (pageSizes: bigint): (() => void) => {
      driver.allocPaging = (...args) => ({ ...allocPaging.apply(driver, args), pageSizes });
      const { outHwptId } = rig.call(HWPT_ALLOC, { devId: id, ptId });
      return () => rig.destroy(outHwptId);
    };
    const first = add(0x4020_1000n);
    expect(sizes()).toBe(0x4020_1000n);
    const second = add(0x4020_0800n);
    expect(sizes()).toBe(0x4020_0000n);
    first();
    expect(sizes()).toBe(0x4020_1000n);
    second();
    driver.allocPaging = allocPaging;
    end();
  });

  test('capabilities are a chain: how many mappings, which IOVAs', () => {
    const { rig, end } = compatRig(true);
    rig.memory.write(rig.page, new Uint8Array(256).fill(0xee));
    expect(send(rig, GET_INFO, 0, [0n, 0n], WHOLE)).toBe(0);
    const view = answer(rig, WHOLE + 4);
    expect([view.getUint32(0, true), view.getUint32(4, true), view.getUint32(16, true)]).toEqual([WHOLE, 3, 24]);
    expect([view.getUint16(24, true), view.getUint16(26, true), view.getUint32(28, true)]).toEqual([3, 1, 36]);
    expect(view.getUint32(32, true)).toBe(0xffffffff);
    expect([view.getUint16(36, true), view.getUint16(38, true), view.getUint32(40, true)]).toEqual([1, 1, 0]);
    expect(view.getUint32(44, true)).toBe(1);
    expect([view.getBigUint64(52, true), view.getBigUint64(60, true)]).toEqual([1n << 24n, (1n << 31n) - 1n]);
    expect(view.getUint32(WHOLE, true)).toBe(0xeeeeeeee); // not a byte more
    end();
  });

  test('with too little room the chain is not announced', () => {
    const { rig, end } = compatRig(true);
    expect(send(rig, GET_INFO, 0, [0n, 0n], WHOLE - 1)).toBe(0);
    const view = answer(rig, 24);
    expect([view.getUint32(0, true), view.getUint32(16, true)]).toEqual([WHOLE, 0]);
    end();
  });
});
