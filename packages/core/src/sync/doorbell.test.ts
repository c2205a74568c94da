import { expect, test, vi } from 'vitest';
import { DOORBELL_LAYOUT, Doorbell, doorbellWords, initDoorbell, LINE } from './index.ts';
import { wordsFor } from './testing.test-help.ts';

function makeDoorbell(): Doorbell {
  const words = wordsFor(doorbellWords());
  initDoorbell(words, LINE);
  return new Doorbell(words, LINE);
}

test('a ring notifies only who has announced itself', () => {
  const bell = makeDoorbell();
  const notify = vi.spyOn(Atomics, 'notify');
  bell.ring();
  expect(notify).toHaveBeenCalledTimes(0);
  bell.prepare();
  bell.ring();
  expect(notify).toHaveBeenCalledTimes(1);
  bell.awake();
  bell.ring();
  expect(notify).toHaveBeenCalledTimes(1);
  expect(bell.rings()).toBe(3);
  notify.mockRestore();
});

test('a ring between prepare and sleep is not slept through', () => {
  const bell = makeDoorbell();
  const seen = bell.prepare();
  bell.ring();
  expect(bell.sleepAsync(seen)).toBeUndefined();
  bell.sleep(() => {
    bell.ring();
    return false;
  }, Number.POSITIVE_INFINITY);
});

test('work that is there already is not slept on', () => {
  const bell = makeDoorbell();
  bell.sleep(() => true, Number.POSITIVE_INFINITY);
});

test('a sleep ends with its time, and leaves nobody announced', () => {
  const bell = makeDoorbell();
  bell.sleep(() => false, 1);
  const notify = vi.spyOn(Atomics, 'notify');
  bell.ring();
  expect(notify).not.toHaveBeenCalled();
  notify.mockRestore();
});

test('a sleep that was given up does not take the ring from the next one', async () => {
  const bell = makeDoorbell();
  const abandoned = bell.sleepAsync(bell.prepare());
  bell.awake(); // something else woke the host
  const current = bell.sleepAsync(bell.prepare());
  bell.ring();
  await current;
  await abandoned;
});

test('misuse is refused', () => {
  const bell = makeDoorbell();
  for (const ms of [-1, Number.NaN]) {
    expect(() => bell.sleep(() => true, ms)).toThrow(/timeoutMs = .*EINVAL/);
    expect(() => bell.sleepAsync(0, ms)).toThrow(/timeoutMs = .*EINVAL/);
  }
  expect(() => initDoorbell(wordsFor(32), LINE)).toThrow(/base = 32/);
  expect(DOORBELL_LAYOUT.words).toBeLessThanOrEqual(doorbellWords());
});
