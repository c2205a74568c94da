import { expect, test } from 'vitest';
import { fakeAts, fakePri } from './capabilities.test-help.ts';
import { Rig } from './rig.test-help.ts';

// What each procedure has the hardware invalidate, in which order, with one completion wait. @see hardware reference, 5

const ID = 0x10;

test('a device from its first attach to its end', async () => {
  const rig = new Rig();
  const { driver } = rig;
  await rig.during(driver.enable());
  const [ats, pri] = [fakeAts(), fakePri()];
  driver.bindDevice(ID, 1, { maxPasids: 16, ats, pri });
  const commands = async (procedure: () => Promise<void>): Promise<string[]> => {
    const from = rig.commandTail;
    await rig.completing(procedure());
    return rig.commandsSince(from);
  };
  expect(await commands(() => driver.attach(ID, { kind: 'identity', domain: 1 }))).toEqual(['DTE 16', 'WAIT']);
  expect(await commands(() => driver.attachPasid(ID, 1, 9))).toEqual(['DTE 16', 'PAGES 1/1', 'WAIT']);
  expect(await commands(() => driver.attachPasid(ID, 2, 9))).toEqual(['PAGES 1/2', 'WAIT']);
  expect(await commands(() => driver.enablePri(ID))).toEqual(['DTE 16', 'WAIT']);
  expect(pri.enabled).toBe(true);
  expect(await commands(() => driver.invalidate(1, 2, 0, 7, [ID]))).toEqual(['PAGES 1/2', 'IOTLB 16/2', 'WAIT']);
  expect(await commands(() => driver.detachPasid(ID, 2))).toEqual(['PAGES 1/2', 'IOTLB 16/2', 'WAIT']);
  // Another domain: nothing of the old one is left, at any PASID.
  expect(await commands(() => driver.attach(ID, { kind: 'paging', domain: 2, rootPage: 9, levels: 4 }))).toEqual([
    ...['DTE 16', 'PAGES 1', 'PAGES 1/1', 'IOTLB 16', 'WAIT'],
  ]);
  expect(await commands(() => driver.blockDevice(ID))).toEqual(['DTE 16', 'PAGES 2', 'PAGES 2/1', 'IOTLB 16', 'WAIT']);
  expect(await commands(() => driver.detachPasid(ID, 1))).toEqual(['IOTLB 16/1', 'WAIT']);
  expect(await commands(() => driver.attach(ID, { kind: 'paging-v2', domain: 3, rootPage: 9, levels: 4 }))).toEqual([
    ...['DTE 16', 'WAIT'],
  ]);
  expect(await commands(() => driver.attach(ID, { kind: 'identity', domain: 4 }))).toEqual([
    ...['DTE 16', 'PAGES 3', 'PAGES 3/0', 'IOTLB 16', 'WAIT'],
  ]);
  expect(await commands(() => driver.disablePri(ID))).toEqual(['DTE 16', 'WAIT']);
  expect([pri.enabled, ats.enabled]).toEqual([false, true]);
  expect(await commands(() => driver.unbindDevice(ID))).toEqual(['DTE 16', 'PAGES 4', 'IOTLB 16', 'WAIT']);
  expect(ats.enabled).toBe(false);
});
