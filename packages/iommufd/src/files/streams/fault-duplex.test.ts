import { once } from 'node:events';
import { expect, test } from 'vitest';
import { PAGE_RESPONSE, PGFAULT } from '../../uapi/index.ts';
import { openFaultRig } from './streams.test-help.ts';

const cookiesOf = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / PGFAULT.bytes }, (_, i) =>
    bytes.readUInt32LE(i * PGFAULT.bytes + PGFAULT.cookie),
  );
const answer = (cookie: number, code = 0): Buffer => Buffer.from(Uint32Array.of(cookie, code).buffer);

test('records out in whole groups, responses in, cut anywhere', async () => {
  const { file, triggerGroup, trigger, answers, expectNothingLeft } = openFaultRig();
  const stream = file.stream();
  triggerGroup(1, 40); // more than is read at once
  trigger(2);
  const [first] = (await once(stream, 'data')) as [Buffer];
  stream.pause();
  expect(first.length).toBe(41 * PGFAULT.bytes);
  const cookies = [...new Set(cookiesOf(first))];
  const bytes = Buffer.concat([answer(cookies[1], 1), answer(cookies[0])]);
  stream.write(bytes.subarray(0, 3));
  stream.write(bytes.subarray(3, 11));
  await new Promise((done) => stream.write(bytes.subarray(11), done));
  expect(answers()).toEqual([
    [2, 1],
    [1, 0],
  ]);
  stream.destroy();
  await once(stream, 'close');
  expectNothingLeft();
});

test('a refused answer is told, and the others go on; a last one that is cut off is an error', async () => {
  const { file, trigger, answers, expectNothingLeft } = openFaultRig();
  const stream = file.stream();
  trigger(1);
  trigger(2);
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  const [one, two] = cookiesOf(bytes);
  const refused: string[] = [];
  stream.on('refused', ({ code, field }) => refused.push(`${code} ${field}`));
  stream.write(Buffer.concat([answer(one), answer(one), answer(two, 9), answer(two)]));
  stream.end(Buffer.alloc(PAGE_RESPONSE.bytes - 1));
  const [error] = await once(stream, 'error');
  expect(error).toMatchObject({ code: 'EINVAL', field: 'count' });
  expect(refused).toEqual(['EINVAL cookie', 'EINVAL code']);
  expect(answers()).toEqual([
    [1, 0],
    [2, 0],
  ]);
  expectNothingLeft();
});

test('reads ahead no more than it is allowed to', async () => {
  const { file, trigger, answers, expectNothingLeft } = openFaultRig();
  const stream = file.stream({ highWaterMark: PGFAULT.bytes });
  trigger(1);
  const ready = once(stream, 'readable');
  await ready;
  trigger(2);
  await new Promise((done) => setImmediate(done));
  expect(stream.readableLength).toBe(PGFAULT.bytes);
  expect(file.next()?.fault.grpid).toBe(2); // it waited in the queue, not in the stream
  stream.destroy();
  await once(stream, 'close');
  file.close();
  expect(answers()).toEqual([[1, 1]]);
  expectNothingLeft();
  expect(answers()).toEqual([
    [1, 1],
    [2, 1], // by the detach
  ]);
});

test('destroyed: what the consumer has whole is its own, what it has not is answered Invalid', async () => {
  const { file, trigger, triggerGroup, answers, expectNothingLeft } = openFaultRig();
  const stream = file.stream();
  trigger(1);
  triggerGroup(2, 2);
  trigger(3);
  await once(stream, 'readable');
  const had = stream.read(2 * PGFAULT.bytes) as Buffer; // one group, and half of the next
  stream.destroy();
  await once(stream, 'close');
  expect(answers()).toEqual([
    [2, 1],
    [3, 1],
  ]);
  expect(file.respond(cookiesOf(had)[0], 0)).toBe(true);
  expectNothingLeft();
});

test('ends when the file is closed, and when the signal says so; a stream that waits holds nothing up', async () => {
  const { file, iommufd, expectNothingLeft } = openFaultRig();
  const stop = new AbortController();
  const aborted = file.stream({ signal: stop.signal });
  aborted.resume();
  const failed = once(aborted, 'error');
  stop.abort();
  expect((await failed)[0].name).toBe('AbortError');
  const stream = file.stream();
  stream.resume();
  const ended = once(stream, 'end');
  const late = iommufd.openFaultFile(file.fd).stream();
  late.write(answer(1)); // refused, and nobody listens
  file.close();
  await ended;
  late.write(answer(1));
  expect((await once(late, 'error'))[0]).toMatchObject({ code: 'EBADF' });
  expectNothingLeft();
});

test('for await over the bytes, left early', async () => {
  const { file, trigger, answers, expectNothingLeft } = openFaultRig();
  for (const grpid of [1, 2, 3]) trigger(grpid);
  const stream = file.stream({ highWaterMark: PGFAULT.bytes });
  for await (const chunk of stream) {
    for (const cookie of cookiesOf(chunk as Buffer)) file.respond(cookie, 0);
    break;
  }
  expect(stream.destroyed).toBe(true);
  expect(answers()).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
  expectNothingLeft();
});
