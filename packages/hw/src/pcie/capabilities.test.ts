import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { AtsCapability } from './ats-capability.ts';
import { functionLayout, functionWords, initFunction } from './function.layout.ts';
import { InterfaceState } from './interface-state.ts';
import { PriCapability } from './pri-capability.ts';
import { EndpointRig } from './testing/endpoint-rig.ts';

const AT: number = LINE;
const RF = 1;
const UPRGI = 2;
const STOPPED = 256;
const PASID_REQUIRED = 32768;

function rig(config = {}): {
  words: Words;
  pri: PriCapability;
  ats: AtsCapability;
  state: InterfaceState;
  wake: Doorbell;
} {
  const words = new Int32Array(new SharedArrayBuffer((LINE + functionWords() + doorbellWords()) * 4));
  initFunction(words, AT, { capacity: 100, ...config });
  initDoorbell(words, AT + functionWords());
  const wake = new Doorbell(words, AT + functionWords());
  const pri = new PriCapability(words, AT, [wake]);
  return { words, pri, ats: new AtsCapability(words, AT), state: new InterfaceState(words, AT, 0), wake };
}
function refusal(code: string, field: string): Error {
  return expect.objectContaining({ name: 'IommuError', code, field }) as Error;
}

describe('PRI', () => {
  test('begins stopped; the allocation is what is wanted, or the capacity', () => {
    const { pri } = rig();
    expect(pri.status()).toBe(STOPPED | PASID_REQUIRED);
    expect(pri.capacity).toBe(100);
    expect(pri.enable(32)).toBe(32);
    expect(pri.status()).toBe(PASID_REQUIRED);
    expect(() => pri.enable(32)).toThrow(refusal('EBUSY', 'ENABLE'));
    pri.disable();
    pri.disable();
    expect(pri.enable(500)).toBe(100);
    expect(() => pri.enable(0)).toThrow(refusal('EINVAL', 'wanted'));
  });

  test('does not require the PASID where it was said so', () => {
    expect(rig({ pasidRequired: false }).pri.status()).toBe(STOPPED);
  });

  test('an endpoint that announces itself before it looks is seen, or sees', () => {
    const { pri, ats, state } = rig();
    ats.enable(12);
    pri.enable(8);
    expect(state.enter(false)).toBe(true);
    pri.disable();
    expect(pri.isStopped()).toBe(false);
    expect(pri.status() & STOPPED).toBe(0);
    state.leave();
    state.leave();
    expect(pri.status() & STOPPED).toBe(STOPPED);
    expect(state.enter(false)).toBe(false);
    expect(pri.isStopped()).toBe(false); // until it has left again
    state.leave();
    expect(pri.isStopped()).toBe(true);
  });

  test('without ATS no request may go out', () => {
    const { pri, ats, state } = rig();
    pri.enable(8);
    expect(state.enter(false)).toBe(false);
    ats.enable(12);
    expect(state.enter(false)).toBe(true);
  });

  test('a failure lasts until it is enabled anew; both status bits are cleared by writing 1', () => {
    const { pri, ats, state } = rig();
    ats.enable(12);
    pri.enable(8);
    expect([state.isFailed(), state.takeFailure()]).toEqual([false, false]);
    state.fail();
    state.setUnexpected();
    expect([state.isFailed(), state.takeFailure(), state.takeFailure()]).toEqual([true, true, false]);
    expect(state.enter(false)).toBe(false);
    state.leave();
    expect(pri.status()).toBe(RF | UPRGI | PASID_REQUIRED);
    pri.clearStatus(UPRGI);
    expect(pri.status()).toBe(RF | PASID_REQUIRED);
    pri.clearStatus(0xffff);
    expect(pri.status()).toBe(PASID_REQUIRED);
    expect(state.isFailed()).toBe(true); // clearing RF is not enabling
    pri.disable();
    pri.enable(8);
    expect(state.isFailed()).toBe(false);
    expect(state.enter(false)).toBe(true);
  });

  test('enabling anew clears both status bits; a refused enable does not', () => {
    const { pri, ats, state } = rig();
    ats.enable(12);
    pri.enable(8);
    state.enter(false);
    state.fail();
    state.setUnexpected();
    pri.disable();
    expect(() => pri.enable(8)).toThrow(refusal('EBUSY', 'STOPPED'));
    expect(pri.status()).toBe(RF | UPRGI | PASID_REQUIRED);
    state.leave();
    pri.enable(8);
    expect(pri.status()).toBe(PASID_REQUIRED);
  });

  test('reset only while disabled; it wakes those who wait', () => {
    const { pri, state, wake } = rig();
    pri.enable(8);
    expect(() => pri.reset()).toThrow(refusal('EBUSY', 'ENABLE'));
    expect(state.takeReset()).toBe(false);
    pri.disable();
    pri.reset();
    expect(wake.rings()).toBe(1);
    expect([state.hasReset(), state.takeReset(), state.takeReset()]).toEqual([true, true, false]);
  });

  test('the allocation is divided without a rest', () => {
    const { words, pri } = rig({ queues: 3 });
    expect(() => pri.enable(2)).toThrow(refusal('EINVAL', 'wanted'));
    pri.enable(8);
    expect([0, 1, 2].map((place) => new InterfaceState(words, AT, place).credits())).toEqual([3, 3, 2]);
    expect(() => new InterfaceState(words, AT, 3)).toThrow(refusal('EINVAL', 'place'));
  });
});

describe('ATS', () => {
  test('enable and disable; a change is seen, even if it was undone', () => {
    const { ats, state } = rig({ invalidateDepth: 7 });
    expect(ats.invalidateDepth).toBe(7);
    expect(() => ats.enable(11)).toThrow(refusal('EINVAL', 'pageLg2'));
    ats.enable(12);
    expect(() => ats.enable(12)).toThrow(refusal('EBUSY', 'ENABLE'));
    expect([ats.isEnabled(), state.isAtsEnabled(), state.takeAtsChange(), state.takeAtsChange()]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    ats.disable();
    ats.enable(12);
    expect(state.takeAtsChange()).toBe(true);
  });

  test('an endpoint drops its translations when ATS goes off', () => {
    const { endpoint, ats } = new EndpointRig();
    endpoint.atc.complete(endpoint.atc.begin(1, 0, 5), 1);
    expect(endpoint.isAtsEnabled()).toBe(true); // enabled before it was made
    expect(endpoint.atc.size).toBe(1);
    ats.disable();
    expect(endpoint.isAtsEnabled()).toBe(false);
    expect(endpoint.atc.size).toBe(0);
  });
});

test('the table is what the code uses', () => {
  expect(functionLayout.fields.map(({ name, offset }) => [name, offset])).toEqual([
    ['HEADER', 0],
    ['CONTROL', 32],
    ['ALLOCATION', 33],
    ['RESETS', 34],
    ['ATS', 35],
    ['STATUS', 64],
    ['RUNNING', 96],
    ['FAILED', 128],
  ]);
  expect(functionWords()).toBe(160);
});

test.each([
  ['capacity', { capacity: 0 }],
  ['queues', { queues: 101 }],
  ['invalidateDepth', { invalidateDepth: 33 }],
] as const)('refuses %s out of range', (field, config) => {
  expect(() => rig(config)).toThrow(refusal('EINVAL', field));
});

test('refuses words without a function', () => {
  const words = new Int32Array(new SharedArrayBuffer(4096));
  expect(() => new PriCapability(words, LINE, [])).toThrow(refusal('EINVAL', 'base'));
  expect(() => new AtsCapability(words, LINE)).toThrow(refusal('EINVAL', 'base'));
});
