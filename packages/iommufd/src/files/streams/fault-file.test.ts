import { setImmediate as turnOfEventLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Delivery } from '../../fault-queue/index.ts';
import { refusalOf } from '../../testing/rig.test-help.ts';
import type { FaultGroup } from './fault-group.ts';
import { type FaultRig, openFaultRig } from './streams.test-help.ts';

test('groups come in order, each a view on all of its faults', async () => {
  const { file, triggerGroup, trigger, devId, answers, expectNothingLeft } = openFaultRig();
  triggerGroup(7, 3);
  trigger(8, { page: 2 ** 52 - 1, offset: 0xabc, perm: 2 });
  const seen: unknown[] = [];
  for await (const group of file) {
    const { grpid, perm, page } = group.fault;
    expect(page).toBe(grpid === 7 ? 0x10 : 2 ** 52 - 1);
    seen.push([grpid, perm, group.devId, group.count, Array.from(group, ({ addr }) => addr)]);
    expect(Array.from(group, ({ flags }) => flags).at(-1)).toBe(2);
    expect(group.respond()).toBe(true);
    expect(group.count).toBe(0);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([
    [7, 1, devId, 3, [0x10000n, 0x11000n, 0x12000n]],
    [8, 2, devId, 1, [0xffff_ffff_ffff_fabcn]],
  ]);
  expect(answers()).toEqual([
    [7, 0],
    [8, 0],
  ]);
  expectNothingLeft();
});

test('a view stays on its group while others are taken and answered', () => {
  const { file, trigger, answers, expectNothingLeft } = openFaultRig();
  for (const grpid of [1, 2, 3]) trigger(grpid, { page: grpid });
  const [first, second, third] = [file.next(), file.next(), file.next()] as FaultGroup[];
  expect(file.next()).toBeUndefined();
  second.respond(1);
  expect([first.fault.page, third.fault.page]).toEqual([1, 3]);
  expect(refusalOf(() => second.respond())).toBe('EINVAL cookie');
  expect(refusalOf(() => first.respond(2))).toBe('EINVAL code');
  third.respond();
  first.respond();
  expect(answers()).toEqual([
    [2, 1],
    [3, 0],
    [1, 0],
  ]);
  expectNothingLeft();
});

test('nothing is taken before it is asked for, nor by a loop that was left', async () => {
  const { file, trigger, answers, iommufd, devId, expectNothingLeft } = openFaultRig();
  const loop = file.read();
  trigger(1);
  trigger(2);
  const first = await loop.next();
  await loop.return?.();
  expect((await loop.next()).done).toBe(true);
  (first.value as FaultGroup).respond();
  expect(file.next()?.fault.grpid).toBe(2);
  iommufd.detach(devId); // answers what was taken
  expect(answers()).toEqual([
    [1, 0],
    [2, 1],
  ]);
  expectNothingLeft();
});

test('a loop that waits is woken by a fault, ended by close, by the signal, by return', async () => {
  const { file, trigger, lab, iommufd, expectNothingLeft } = openFaultRig();
  const stop = new AbortController();
  const signalled = file.read({ signal: stop.signal }).next();
  stop.abort();
  expect(await signalled).toEqual({ done: true, value: undefined });
  expect((await file.read({ signal: stop.signal }).next()).done).toBe(true);
  const left = file.read();
  const pending = left.next();
  await left.return?.();
  expect((await pending).done).toBe(true);
  const woken = file.read().next();
  trigger(5);
  const group = (await woken).value as FaultGroup;
  expect(group.fault.grpid).toBe(5);
  group.respond();
  const closed = file.read().next();
  const other = iommufd.openFaultFile(file.fd).read().next();
  lab.caller(1).files.close(file.fd); // by whomever
  expect([(await closed).done, (await other).done]).toEqual([true, true]);
  expect(refusalOf(() => file.next())).toBe('EBADF fd');
  expect(refusalOf(() => file.respond(group.cookie, 0))).toBe('EBADF fd');
  expectNothingLeft();
});

test.each<[string, (rig: FaultRig) => void]>([
  ['here', ({ file }) => file.close()],
  ['by whomever', ({ file, lab }) => lab.caller(1).files.close(file.fd)],
])('a loop ends when its descriptor is closed, though another keeps the file: %s', async (_how, close) => {
  const rig = openFaultRig();
  const { iommufd, file, trigger, expectNothingLeft } = rig;
  const copy = iommufd.openFaultFile(iommufd.caller.files.dup('test', file.fd));
  const ended = (async () => {
    for await (const group of file) group.respond();
  })();
  await turnOfEventLoop();
  close(rig);
  await ended;
  trigger(1);
  expect(copy.next()?.respond()).toBe(true);
  copy.close();
  expectNothingLeft();
});

test('nor does one sleep whose descriptor is closed between its look and its sleep', async () => {
  const { iommufd, lab, file, expectNothingLeft } = openFaultRig();
  const copy = iommufd.caller.files.dup('test', file.fd);
  const { parkAsync } = Delivery.prototype;
  Delivery.prototype.parkAsync = function (this: Delivery, timeoutMs) {
    Delivery.prototype.parkAsync = parkAsync;
    lab.caller(1).files.close(file.fd);
    return this.parkAsync(timeoutMs);
  };
  await file.wait();
  expect(file.isOpen()).toBe(false);
  lab.caller(1).files.close(copy);
  expectNothingLeft();
});

test('a flood of faults leaves timers their turn', async () => {
  const { file, trigger, expectNothingLeft } = openFaultRig();
  trigger(1);
  let groups = 0;
  setTimeout(() => file.close(), 0);
  for await (const group of file) {
    groups++;
    group.respond();
    trigger(1);
  }
  expect(groups).toBeGreaterThan(0);
  expectNothingLeft();
});

test('the number of another file, open or not, is refused', () => {
  const { file, iommufd, faultId, expectNothingLeft } = openFaultRig();
  expect(refusalOf(() => iommufd.openFaultFile(iommufd.fd))).toBe('EBADF fd');
  expect(refusalOf(() => iommufd.openFaultFile(99))).toBe('EBADF fd');
  expect(refusalOf(() => iommufd.openEventFile(file.fd))).toBe('EBADF fd');
  file.close();
  expect(refusalOf(() => iommufd.destroy(faultId))).toBe('EBUSY id'); // its HWPT is there still
  // Another queue gets the descriptor; who had it open does not read from that.
  const { faultFd } = iommufd.faultQueueAlloc();
  expect(faultFd).toBe(file.fd);
  expect(file.isOpen()).toBe(false);
  iommufd.openFaultFile(faultFd).close();
  expectNothingLeft();
});
