import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { openFiles } from '../context/files.ts';
import { FILE_ACCESS } from '../files/layout.ts';
import { makeRig, type Rig, refusalOf } from '../testing/rig.test-help.ts';
import { ACCESS_KIND_TEST } from '../testing/test-commands/index.ts';
import {
  IOAS_ALLOC,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';
import {
  accessBytes,
  attachAccess,
  createAccess,
  destroyAccess,
  detachAccess,
  pinAccess,
  replaceAccess,
  unpinAccess,
} from './index.ts';

const FIXED = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;
const PAGE = BigInt(PAGE_BYTES);
const KIND = ACCESS_KIND_TEST + 1;

function mapped(rig: Rig, pages: number, userVa: bigint = rig.memory.mmap(pages * PAGE_BYTES)): number {
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: BigInt(pages) * PAGE, iova: PAGE });
  return ioasId;
}

test('an access is attached once, moved, and detached; the user cannot destroy it', () => {
  const rig = makeRig();
  const { context } = rig;
  const [first, second] = [mapped(rig, 1), mapped(rig, 1)];
  const access = createAccess(context, 'test', { kind: KIND, pins: true });
  expect(refusalOf(() => rig.destroy(context.objects.idOf(access)))).toBe('EBUSY id');
  expect(refusalOf(() => replaceAccess(context, 'test', access, first))).toBe('ENOENT access');
  expect(refusalOf(() => detachAccess(context, 'test', access))).toBe('EINVAL access');
  expect(refusalOf(() => pinAccess(context, 'test', access, { iova: PAGE, length: PAGE }, true))).toBe('ENOENT access');
  expect(refusalOf(() => attachAccess(context, 'test', access, 99))).toBe('ENOENT ioas_id');
  attachAccess(context, 'test', access, first);
  expect(refusalOf(() => attachAccess(context, 'test', access, second))).toBe('EINVAL access');
  for (const ioas of [second, first, second, second]) replaceAccess(context, 'test', access, ioas);
  rig.destroy(first);
  expect(refusalOf(() => rig.destroy(second))).toBe('EBUSY id');
  detachAccess(context, 'test', access);
  rig.destroy(second);
  destroyAccess(context, access);
  context.put();
  rig.expectNothingLeft();
});

test('an access that pins wants whole pages of what is mapped, and of what comes', () => {
  const rig = makeRig();
  const { context } = rig;
  const userVa = rig.memory.mmap(2 * PAGE_BYTES);
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const half = { ioasId, flags: FIXED, userVa: userVa + PAGE / 2n, length: PAGE, iova: PAGE };
  rig.call(IOAS_MAP, half);
  const access = createAccess(context, 'test', { kind: KIND, pins: true });
  expect(refusalOf(() => attachAccess(context, 'test', access, ioasId))).toBe('EADDRINUSE iova');
  rig.call(IOAS_UNMAP, { ioasId, iova: PAGE, length: PAGE });
  attachAccess(context, 'test', access, ioasId);
  expect(refusalOf(() => rig.call(IOAS_MAP, half))).toBe('EINVAL user_va');
  destroyAccess(context, access);
  context.put();
  rig.call(IOAS_MAP, half); // nobody asks for it any more
  rig.expectNothingLeft();
});

test('on its way from one IOAS to another an access lets go, and takes no other way; it can still unpin', () => {
  const rig = makeRig();
  const { context, lab } = rig;
  const [first, second] = [mapped(rig, 2), mapped(rig, 2)];
  const access = createAccess(context, 'test', { kind: KIND, pins: true });
  const range = { iova: PAGE, length: 2n * PAGE };
  const seen: string[] = [];
  lab.machine.accessUnmaps.set(KIND, (_context, object, iova, length) => {
    expect([object, iova, length]).toEqual([access, 0n, 2n ** 64n - 1n]);
    seen.push(refusalOf(() => replaceAccess(context, 'test', access, first)));
    seen.push(refusalOf(() => detachAccess(context, 'test', access)));
    seen.push(refusalOf(() => pinAccess(context, 'test', access, range, false)));
    if (lab.ram.pinned() > 0) unpinAccess(context, access, range);
  });
  attachAccess(context, 'test', access, first);
  pinAccess(context, 'test', access, range, true);
  expect(lab.ram.pinned()).toBe(2);
  replaceAccess(context, 'test', access, second);
  expect(lab.ram.pinned()).toBe(0);
  expect(seen).toEqual(['EBUSY access', 'EBUSY access', 'ENOENT access']);
  destroyAccess(context, access);
  context.put();
  rig.expectNothingLeft();
});

test('where an access does not let go, an unmap gives up after a hundred rounds, and the range takes no more pins', () => {
  const rig = makeRig();
  const { context, lab } = rig;
  const ioasId = mapped(rig, 1);
  const access = createAccess(context, 'test', { kind: KIND, pins: true });
  const range = { iova: PAGE, length: PAGE };
  let rounds = 0;
  lab.machine.accessUnmaps.set(KIND, () => rounds++);
  attachAccess(context, 'test', access, ioasId);
  pinAccess(context, 'test', access, range, true);
  expect(rig.refusal(IOAS_UNMAP, { ioasId, ...range })).toBe('EDEADLK iova');
  expect(rounds).toBe(100);
  expect(refusalOf(() => pinAccess(context, 'test', access, range, true))).toBe('EINVAL iova');
  unpinAccess(context, access, range);
  expect(rig.call(IOAS_UNMAP, { ioasId, ...range }).length).toBe(PAGE);
  destroyAccess(context, access);
  context.put();
  rig.expectNothingLeft();
});

test('bytes pass through areas that lie side by side; of a range with a hole none is written', () => {
  const rig = makeRig();
  const { context, lab, memory } = rig;
  const userVa = memory.mmap(3 * PAGE_BYTES);
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  // Three pages in the opposite order, and the fourth missing.
  for (let i = 0n; i < 3n; i++)
    rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa: userVa + (2n - i) * PAGE, length: PAGE, iova: PAGE + i * PAGE });
  const access = createAccess(context, 'test', { kind: KIND, pins: false });
  attachAccess(context, 'test', access, ioasId);
  const bytes = Uint8Array.from({ length: 3 * PAGE_BYTES }, (_, i) => i >> 5);
  accessBytes(context, 'test', access, lab.ram.bytes, PAGE, bytes, true);
  const back = new Uint8Array(bytes.length - 7);
  accessBytes(context, 'test', access, lab.ram.bytes, PAGE + 7n, back, false);
  expect(back).toEqual(bytes.subarray(7));
  const page = new Uint8Array(PAGE_BYTES);
  memory.read(userVa, page);
  expect(page).toEqual(bytes.subarray(2 * PAGE_BYTES));
  const twice = new Uint8Array(2 * PAGE_BYTES).fill(0xee);
  const write = (): void => accessBytes(context, 'test', access, lab.ram.bytes, 3n * PAGE, twice, true);
  expect(refusalOf(write)).toBe('ENOENT iova');
  memory.read(userVa, page);
  expect(page).toEqual(bytes.subarray(2 * PAGE_BYTES));
  expect(refusalOf(() => pinAccess(context, 'test', access, { iova: PAGE, length: PAGE }, false))).toBe(
    'EINVAL access',
  );
  destroyAccess(context, access);
  context.put();
  rig.expectNothingLeft();
});

test('an access goes with its descriptor, which keeps the context', () => {
  const rig = makeRig();
  const { context, lab } = rig;
  const ioasId = mapped(rig, 1);
  const access = createAccess(context, 'test', { kind: ACCESS_KIND_TEST, pins: true });
  attachAccess(context, 'test', access, ioasId);
  const files = openFiles(lab.machine, 1);
  const fd = files.install('test', FILE_ACCESS, context.number, access);
  context.put(); // /dev/iommu is closed
  expect(lab.machine.live().ioas).toBe(1);
  files.close(fd);
  expect(lab.machine.live().objects).toBe(0);
});
