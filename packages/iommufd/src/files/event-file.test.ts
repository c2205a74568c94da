import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { OBJECT_PAYLOAD, VEVENTQ_BODY } from '../objects/index.ts';
import { MOCK_VEVENTQ_TYPE } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { OBJ_VEVENTQ, VEVENT_HEADER } from '../uapi/index.ts';
import { reportEvent } from '../veventq/index.ts';
import { makeViommuRig } from '../viommu/viommu.test-help.ts';
import { EventFile } from './event-file.ts';
import { POLLIN, POLLRDNORM } from './fault-file.ts';

const HEADER = VEVENT_HEADER.bytes;
const EVENT = HEADER + 4;

function fileRig(depth = 8) {
  const rig = makeViommuRig();
  const { context, lab, memory, page } = rig;
  const { id, fd } = rig.allocQueue(rig.allocViommu(), depth);
  const object = context.objects.get('test', 'veventq_id', id, OBJ_VEVENTQ);
  const at = context.objects.at(object);
  context.objects.put(object);
  const file = new EventFile(lab.machine, context.words[at + VEVENTQ_BODY]);
  const viommu = context.words[at + OBJECT_PAYLOAD];
  const report = (...words: readonly number[]): void =>
    reportEvent(lab.machine, viommu, MOCK_VEVENTQ_TYPE, new Uint8Array(Uint32Array.from(words).buffer));
  const read = (count: number, address = page): number => file.read(memory, address, count);
  return { ...rig, fd, file, report, read };
}

test('header and payload, by byte; nothing behind a lost header', () => {
  const { report, read, readWords, page } = fileRig(1);
  report(0xdeadbeef);
  report(1);
  report(2);
  expect(read(PAGE_BYTES)).toBe(EVENT + HEADER);
  // flags, sequence, payload; flags, sequence
  expect(readWords(page, 5)).toEqual([0, 0, 0xdeadbeef, 1, 2]);
});

test('payloads of different lengths follow one another', () => {
  const { report, read, readWords, page } = fileRig();
  report(1, 2, 3, 4, 5, 6, 7, 8);
  report(9);
  expect(read(PAGE_BYTES)).toBe(HEADER + 32 + EVENT);
  expect(readWords(page, 13)).toEqual([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 9]);
});

test('an empty queue reads as nothing; a count below a header is refused, waiting or not', () => {
  const { read, report, file, memory, page } = fileRig();
  expect(read(HEADER)).toBe(0);
  for (const count of [0, HEADER - 1]) expect(refusalOf(() => read(count))).toBe('EINVAL count');
  report(1);
  for (const count of [0, HEADER - 1, HEADER, EVENT - 1, -EVENT, Number.NaN])
    expect(refusalOf(() => read(count))).toBe('EINVAL count');
  expect(refusalOf(() => file.read(memory, page, EVENT, EVENT))).toBe('ESPIPE offset');
  expect(refusalOf(() => file.read(memory, page, 0, 1))).toBe('ESPIPE offset');
  expect(read(EVENT)).toBe(EVENT);
});

test('whole events only, oldest first, as many as fit; counts are of any size', () => {
  const { read, report, readWords, page } = fileRig();
  for (let i = 0; i < 5; i++) report(i);
  expect(read(2 * EVENT + HEADER + 3)).toBe(2 * EVENT);
  expect(readWords(page, 6)).toEqual([0, 0, 0, 0, 1, 1]);
  expect(read(PAGE_BYTES)).toBe(3 * EVENT);
  expect(readWords(page, 9)).toEqual([0, 2, 2, 0, 3, 3, 0, 4, 4]);
});

test('a lost header fits where no event does', () => {
  const { read, report, readWords, page } = fileRig(1);
  for (let i = 0; i < 2; i++) report(i);
  expect(read(EVENT + HEADER - 1)).toBe(EVENT);
  expect(read(HEADER)).toBe(HEADER);
  expect(readWords(page, 2)).toEqual([1, 1]);
});

test('an event whose copy fails waits as before, and not even its header is counted', () => {
  const { read, report, page, readWords } = fileRig();
  for (let i = 0; i < 3; i++) report(i);
  const end = page + BigInt(PAGE_BYTES);
  expect(refusalOf(() => read(EVENT, 0n))).toBe('EFAULT buffer');
  expect(refusalOf(() => read(EVENT, end - BigInt(HEADER)))).toBe('EFAULT buffer'); // room for a header
  expect(read(3 * EVENT, end - BigInt(EVENT + HEADER))).toBe(EVENT);
  expect(read(3 * EVENT)).toBe(2 * EVENT);
  expect(readWords(page, 6)).toEqual([0, 1, 1, 0, 2, 2]);
});

test('a lost header whose copy fails waits, too', () => {
  const { read, report } = fileRig(1);
  for (let i = 0; i < 2; i++) report(i);
  expect(read(EVENT)).toBe(EVENT);
  expect(refusalOf(() => read(HEADER, 0n))).toBe('EFAULT buffer');
  expect(read(HEADER)).toBe(HEADER);
  expect(read(HEADER)).toBe(0);
});

test('poll: readable while an event or the word of lost ones waits, writable never', () => {
  const { file, read, report } = fileRig(1);
  expect(file.poll()).toBe(0);
  for (let i = 0; i < 2; i++) report(i);
  expect(file.poll()).toBe(POLLIN | POLLRDNORM);
  read(EVENT);
  expect(file.poll()).toBe(POLLIN | POLLRDNORM);
  read(EVENT);
  expect(file.poll()).toBe(0);
});

test('who waits is woken by a report, and by a close; a wait for what is there does not sleep', async () => {
  const { file, report, read, lab, fd } = fileRig();
  const woken = file.waitAsync(60_000);
  report(1);
  await woken;
  file.wait(60_000);
  read(EVENT);
  const again = file.waitAsync(60_000);
  lab.caller(1).files.close(fd);
  await again;
});
