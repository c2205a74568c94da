import { mutexOwner } from '@faultline/core/sync';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fakeAts, fakePri } from './capabilities.test-help.ts';
import { decodeDte } from './dte.ts';
import { AMD_CMD_LOCK, deviceEntryAt, gcr3TableAt } from './layout.ts';
import { Rig } from './rig.test-help.ts';

// What is left when a procedure fails: nothing held, and a next try that goes through.

const ID = 0x10;
const TIMED_OUT = 'AmdOps.sync: timeoutMs = 30';
let rig: Rig;
let ats: ReturnType<typeof fakeAts>;
let pri: ReturnType<typeof fakePri>;

const dte = (): Record<string, number> => decodeDte(rig.words, deviceEntryAt(rig.words, rig.base, ID));
const pasidEntry = (pasid: number): number => rig.words[gcr3TableAt(rig.words, rig.base, 0) + pasid * 2];
/** A procedure whose hardware does not run. */
const stuck = async (procedure: Promise<void>): Promise<void> => expect(procedure).rejects.toThrow(TIMED_OUT);

beforeEach(async () => {
  rig = new Rig({ gcr3Tables: 1, timeoutMs: 30 });
  [ats, pri] = [fakeAts(), fakePri()];
  await rig.during(rig.driver.enable());
  rig.driver.bindDevice(ID, 1, { maxPasids: 16, ats, pri });
  await rig.during(rig.driver.attach(ID, { kind: 'identity', domain: 1 }));
});

afterEach(() => expect(mutexOwner(rig.words, rig.base + AMD_CMD_LOCK)).toBe(0));

describe('a hardware that stands still', () => {
  test('attach: attached as before', async () => {
    const before = dte();
    await stuck(rig.driver.attach(ID, { kind: 'paging', domain: 2, rootPage: 9, levels: 4 }));
    expect(dte()).toEqual(before);
    await stuck(rig.driver.attach(ID, { kind: 'paging-v2', domain: 2, rootPage: 9, levels: 4 }));
    expect([dte().giov, dte().domain, pasidEntry(0)]).toEqual([0, 1, 0]);
    const from = rig.commandTail;
    await rig.completing(rig.driver.attach(ID, { kind: 'paging', domain: 2, rootPage: 9, levels: 4 }));
    expect(rig.commandsSince(from)).toEqual(['DTE 16', 'PAGES 1', 'IOTLB 16', 'WAIT']);
    expect(dte()).toMatchObject({ mode: 4, domain: 2 });
  });

  test('block: the entry says so, and the next try invalidates all of it', async () => {
    await stuck(rig.driver.blockDevice(ID));
    expect(dte()).toMatchObject({ v: 1, tv: 0 });
    const from = rig.commandTail;
    await rig.completing(rig.driver.blockDevice(ID));
    expect(rig.commandsSince(from)).toEqual(['DTE 16', 'PAGES 1', 'IOTLB 16', 'WAIT']);
  });

  test('attach and detach of a PASID: free as before, and taken until it is gone for certain', async () => {
    await stuck(rig.driver.attachPasid(ID, 3, 9));
    expect(pasidEntry(3)).toBe(0);
    await rig.completing(rig.driver.attachPasid(ID, 3, 9));
    expect(pasidEntry(3)).toBe((9 << 12) | 1);
    await stuck(rig.driver.detachPasid(ID, 3));
    expect(pasidEntry(3)).toBe(0);
    await expect(rig.driver.attachPasid(ID, 3, 9)).rejects.toThrow('pasid = 3: has a page table (EBUSY)');
    await rig.completing(rig.driver.detachPasid(ID, 3));
    await expect(rig.driver.detachPasid(ID, 3)).rejects.toThrow('(ENOENT)');
    await rig.completing(rig.driver.attachPasid(ID, 3, 9));
  });

  test('PRI on and off: the entry says no, the device was not told', async () => {
    await stuck(rig.driver.enablePri(ID));
    expect([dte().ppr, pri.enabled]).toEqual([0, false]);
    await rig.completing(rig.driver.enablePri(ID));
    expect([dte().ppr, pri.enabled]).toEqual([1, true]);
    await stuck(rig.driver.disablePri(ID));
    expect([dte().ppr, pri.enabled]).toEqual([0, false]);
    await rig.completing(rig.driver.disablePri(ID));
  });

  test('unbind: still bound, with ATS; the next try ends it', async () => {
    await stuck(rig.driver.unbindDevice(ID));
    expect(ats.enabled).toBe(true);
    expect(() => rig.driver.bindDevice(ID, 1)).toThrow('(EBUSY)');
    await rig.completing(rig.driver.unbindDevice(ID));
    expect(ats.enabled).toBe(false);
    rig.driver.bindDevice(ID, 1);
  });

  test('an invalidation batch, a fence', async () => {
    await stuck(rig.driver.invalidate(1, -1, 0, 9, [ID]));
    await stuck(rig.driver.fenceEventQueue());
    await stuck(rig.driver.fenceResponses());
    await rig.completing(rig.driver.fenceEventQueue());
  });
});

test('a device that refuses PRI: the entry says no again, and requests meanwhile are refused', async () => {
  await rig.completing(rig.driver.attachPasid(ID, 1, 9));
  pri.busy = true;
  await expect(rig.completing(rig.driver.enablePri(ID))).rejects.toThrow('STOPPED = 0');
  expect(dte().ppr).toBe(0);
  rig.post(1);
  rig.settle();
  expect([rig.received(), rig.reporter.faults]).toEqual([[{ prgi: 1, code: 1, pasid: 1 }], []]);
  pri.busy = false;
  await rig.completing(rig.driver.enablePri(ID));
  rig.post(2);
  rig.settle();
  expect(rig.reporter.faults.length).toBe(1);
});

test('a refused attach has taken no GCR3 table', async () => {
  await expect(rig.driver.attach(ID, { kind: 'paging-v2', domain: 2, rootPage: 9, levels: 6 })).rejects.toThrow(
    'levels',
  );
  rig.driver.bindDevice(0x11, 2);
  await rig.completing(rig.driver.attach(0x11, { kind: 'paging-v2', domain: 3, rootPage: 9, levels: 4 }));
  await expect(rig.driver.attachPasid(ID, 1, 9)).rejects.toThrow('(ENOSPC)');
  await expect(rig.driver.attach(ID, { kind: 'paging-v2', domain: 2, rootPage: 9, levels: 4 })).rejects.toThrow(
    '(ENOSPC)',
  );
  await rig.completing(rig.driver.unbindDevice(0x11)); // its table is free again
  await rig.completing(rig.driver.attachPasid(ID, 1, 9));
});
