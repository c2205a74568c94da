import { describe, expect, test } from 'vitest';
import { AMD_EFR, AMD_STATUS } from './layout.ts';
import { STATUS_CMD_RUN, STATUS_EVT_OVERFLOW, STATUS_EVT_RUN, STATUS_PPR_RUN } from './registers.ts';
import { Rig } from './rig.test-help.ts';

const RUNNING = STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN;

describe('probe and switches', () => {
  test('features are what the register says', async () => {
    const rig = new Rig();
    expect(rig.driver.probe()).toEqual({
      ...{ ppr: true, guestTranslation: true, invalidateAll: true, pasidBits: 9, gcr3Levels: 1 },
      ...{ autoResponse: true, earlyWarning: true, blockStopMarkers: true, guestIo: true },
    });
    rig.words[rig.base + AMD_EFR + 1] = 8;
    await expect(rig.driver.enable()).rejects.toThrow('autoResponse = true: the IOMMU does not offer it (EOPNOTSUPP)');
    rig.words[rig.base + AMD_EFR] = 0;
    expect(() => rig.driver.probe()).toThrow('(ENODEV)');
  });

  test('all rings run once it is on, none once it is off, and go on where they were', async () => {
    const rig = await Rig.on();
    rig.post(1);
    rig.settle();
    expect(rig.status & RUNNING).toBe(RUNNING);
    await rig.during(rig.driver.disable());
    expect(rig.status & RUNNING).toBe(0);
    await rig.during(rig.driver.enable());
    rig.post(2);
    rig.settle();
    expect(rig.reporter.faults.map((fault) => fault.grpid)).toEqual([1, 2]);
  });

  test('page requests off and on for all', async () => {
    const rig = await Rig.on();
    await rig.during(rig.driver.switchPageRequests(false));
    rig.post(1);
    rig.settle();
    expect(rig.received()).toEqual([{ prgi: 1, code: 15, pasid: 1 }]);
    await rig.during(rig.driver.switchPageRequests(true));
    rig.post(1);
    rig.settle();
    expect(rig.reporter.faults.length).toBe(1);
  });

  test('a hardware that does not run: all is off when it comes to life, and on at the next try', async () => {
    const rig = new Rig({ timeoutMs: 50 });
    await expect(rig.driver.enable()).rejects.toThrow('AmdDriver.enable: timeoutMs = 50');
    rig.hw.pump(64);
    expect(rig.status & RUNNING).toBe(0);
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.received()).toEqual([{ prgi: 1, code: 15, pasid: 1 }]);
    await rig.during(rig.driver.enable());
    expect(rig.status & RUNNING).toBe(RUNNING);
  });

  test('a ring that does not start: the others do not run on', async () => {
    const rig = new Rig();
    Atomics.or(rig.words, rig.base + AMD_STATUS, STATUS_EVT_OVERFLOW); // an overflow that nobody has acknowledged
    await expect(rig.during(rig.driver.enable(), () => {})).rejects.toThrow('a ring does not run (ENODEV)');
    rig.hw.pump(64);
    expect(rig.status & RUNNING).toBe(0);
  });

  test.each([
    [{ earlyThreshold: 512 }, 'earlyThreshold = 512'],
    [{ invTimeout: 7 }, 'invTimeout = 7'],
  ])('%j is refused, and nothing is on', async (options, message) => {
    const rig = new Rig();
    await expect(rig.driver.enable(options)).rejects.toThrow(message);
    rig.hw.pump(64);
    expect(rig.status).toBe(0);
  });
});
