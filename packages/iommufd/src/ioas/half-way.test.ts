// What other calls are told of an area while it is being filled, and while it is being emptied: asked from within the driver, in between.
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, unbindDevice } from '../device/index.ts';
import { makeRig, refusalOf } from '../testing/rig.test-help.ts';
import { IOAS_ALLOC, IOAS_COPY, IOAS_MAP, IOAS_UNMAP, OBJ_IOAS } from '../uapi/index.ts';
import { Ioas, pinRange, sweepRange } from './index.ts';

const PAGE = BigInt(PAGE_BYTES);
const BASE = 1n << 24n;

test('it takes its place, and is not there', () => {
  const rig = makeRig();
  const { context } = rig;
  const { driver } = rig.lab;
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const devId = rig.bind(1);
  attachDevice(context, devId, { ptId: ioasId });
  const userVa = rig.memory.mmap(2 * PAGE_BYTES);
  const area = { ioasId, flags: 7, userVa, length: 2n * PAGE, iova: BASE };
  const object = context.objects.get('test', 'id', ioasId, OBJ_IOAS);
  context.objects.put(object);
  const told: string[][] = [];
  const ask = (): void => {
    const copy = {
      srcIoasId: ioasId,
      dstIoasId: ioasId,
      flags: 7,
      srcIova: BASE,
      dstIova: BASE + 8n * PAGE,
      length: PAGE,
    };
    told.push([
      rig.refusal(IOAS_MAP, area),
      rig.refusal(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE }),
      rig.refusal(IOAS_COPY, copy),
      refusalOf(() => pinRange(context, object, 'pin', BASE, PAGE, false)),
      String(sweepRange(new Ioas(context, object), 1, BASE, BASE + PAGE - 1n, false, undefined) - BASE),
    ]);
  };
  const { map, unmap } = driver;
  driver.map = (...args) => {
    map.apply(driver, args);
    ask();
  };
  driver.unmap = (...args) => {
    ask();
    unmap.apply(driver, args);
  };
  rig.call(IOAS_MAP, area);
  driver.map = map;
  rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE });
  driver.unmap = unmap;
  const expected = ['EEXIST iova', 'EBUSY iova', 'ENOENT src_iova', 'ENOENT iova', '0'];
  expect(told.length).toBeGreaterThan(1);
  expect(told).toEqual(told.map(() => expected));
  detachDevice(context, devId);
  unbindDevice(context, devId);
  rig.expectNothingLeft();
});

test('what is mapped again behind an unmap is not its own: it stays', () => {
  const rig = makeRig();
  const { driver } = rig.lab;
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const devId = rig.bind(1);
  attachDevice(rig.context, devId, { ptId: ioasId });
  const userVa = rig.memory.mmap(PAGE_BYTES);
  const map = (iova: bigint): void => void rig.call(IOAS_MAP, { ioasId, flags: 7, userVa, length: PAGE, iova });
  map(BASE);
  map(BASE + PAGE);
  const { unmap } = driver;
  driver.unmap = (domain, iova, bytes) => {
    unmap.call(driver, domain, iova, bytes);
    if (iova === BASE + PAGE) map(BASE);
  };
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE }).length).toBe(2n * PAGE);
  driver.unmap = unmap;
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE }).length).toBe(PAGE);
  detachDevice(rig.context, devId);
  unbindDevice(rig.context, devId);
  rig.expectNothingLeft();
});

test('a long sweep goes by slices, and lets map and unmap in between', () => {
  const rig = makeRig();
  const { driver } = rig.lab;
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const object = rig.context.objects.get('test', 'id', ioasId, OBJ_IOAS);
  rig.context.objects.put(object);
  const [slice, length] = [1n << 26n, 1n << 30n];
  const map = { ioasId, flags: 7, userVa: 0n, length, iova: BASE }; // into no domain: nothing need be there
  rig.call(IOAS_MAP, map);
  const between = { ioasId, iova: BASE + 2n * length, length: PAGE };
  const ioas = new Ioas(rig.context, object);
  ioas.readAreas = (body) => {
    const result = Ioas.prototype.readAreas.call(ioas, body);
    rig.call(IOAS_MAP, { ...map, ...between });
    rig.call(IOAS_UNMAP, between);
    return result as ReturnType<typeof body>;
  };
  const swept: bigint[] = [];
  const { readDirty } = driver;
  driver.readDirty = (_domain, iova, bytes) => {
    expect([iova, bytes]).toEqual([BASE + swept.reduce((sum, each) => sum + each, 0n), slice]);
    swept.push(bytes);
  };
  expect(sweepRange(ioas, 1, BASE, BASE + length - 1n, true, undefined)).toBe(BASE + length);
  driver.readDirty = readDirty;
  expect(swept.length).toBe(16);
  rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length });
  rig.expectNothingLeft();
});
