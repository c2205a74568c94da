import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Iommufd } from '../../iommufd.ts';
import { MOCK_VEVENTQ_TYPE, MOCK_VIOMMU_TYPE } from '../../testing/mock/index.ts';
import { createMockLab, openMockLab } from '../../testing/mock-lab.ts';
import { VEVENT_HEADER } from '../../uapi/index.ts';
import { reportEvent } from '../../veventq/index.ts';

const EVENT = VEVENT_HEADER.bytes + 4;

function openEventRig(depth: number) {
  const lab = openMockLab(createMockLab());
  lab.driver.addDevice(1, 0);
  const iommufd = Iommufd.open(lab.machine, lab.caller(1));
  const devId = iommufd.bind(1);
  const hwptId = iommufd.hwptAlloc({ devId, ptId: iommufd.ioasAlloc(), nestParent: true });
  const viommuId = iommufd.viommuAlloc({ type: MOCK_VIOMMU_TYPE, devId, hwptId });
  const { veventqFd } = iommufd.veventqAlloc({ viommuId, type: MOCK_VEVENTQ_TYPE, depth });
  const file = iommufd.openEventFile(veventqFd);
  // The only context's objects: ids count from 1, as objects do here.
  const report = (value: number): void =>
    reportEvent(lab.machine, viommuId, MOCK_VEVENTQ_TYPE, Uint8Array.of(value, 0, 0, 0));
  const expectNothingLeft = (): void => {
    file.close();
    iommufd.close();
    expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
  };
  return { lab, iommufd, file, report, expectNothingLeft };
}

test('events come in order, each with a payload of its own, and the word of lost ones', async () => {
  const { file, report, expectNothingLeft } = openEventRig(2);
  for (const value of [5, 6, 7]) report(value);
  const events = [];
  for await (const event of file) {
    events.push(event);
    if (event.isLost) break;
  }
  expect(events.map(({ sequence, payload }) => [sequence, ...payload])).toEqual([
    [0, 5, 0, 0, 0],
    [1, 6, 0, 0, 0],
    [2],
  ]);
  expect(file.next()).toBeUndefined();
  expectNothingLeft();
});

test('a loop that waits is woken by a report, and ended by close', async () => {
  const { file, report, expectNothingLeft } = openEventRig(2);
  const woken = file.read().next();
  report(1);
  expect((await woken).value.payload[0]).toBe(1);
  const ended = file.read().next();
  file.close();
  expect((await ended).done).toBe(true);
  expectNothingLeft();
});

test('a stream that is destroyed puts back what was not had whole, in order', async () => {
  const { file, report, lab, expectNothingLeft } = openEventRig(8);
  for (const value of [1, 2, 3]) report(value);
  const stream = file.stream();
  await once(stream, 'readable');
  expect(stream.readableLength).toBe(3 * EVENT);
  stream.read(EVENT + 1); // one event, and the first byte of the next
  stream.destroy();
  await once(stream, 'close');
  expect([file.next()?.sequence, file.next()?.sequence, file.next()]).toEqual([1, 2, undefined]);
  expect(lab.machine.live().events).toBe(0);
  expectNothingLeft();
});

test('what is read ahead counts in the depth: the queue is full, and says so', async () => {
  const { file, report, expectNothingLeft } = openEventRig(2);
  const stream = file.stream();
  report(1);
  report(2);
  await once(stream, 'readable');
  report(3);
  const bytes: number[] = [];
  stream.on('data', (chunk: Buffer) => bytes.push(chunk.length, chunk.readUInt32LE(0), chunk.readUInt32LE(4)));
  while (bytes.length < 9) await new Promise((done) => setImmediate(done));
  // length, flags, sequence: the third is a lost header
  expect(bytes).toEqual([EVENT, 0, 0, EVENT, 0, 1, VEVENT_HEADER.bytes, 1, 2]);
  file.close();
  await once(stream, 'end');
  expectNothingLeft();
});

test('closed with events read ahead, and destroyed after the queue is gone: nothing leaks', async () => {
  const { file, report, iommufd, lab } = openEventRig(8);
  for (const value of [1, 2, 3]) report(value);
  const stream = file.stream();
  await once(stream, 'readable');
  stream.read(EVENT);
  file.close();
  iommufd.close();
  expect(lab.machine.live()).toMatchObject({ events: 3, veventqs: 0, objects: 0 });
  stream.destroy();
  await once(stream, 'close');
  expect(lab.machine.live().events).toBe(0);
});
