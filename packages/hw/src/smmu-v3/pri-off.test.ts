import { expect, test } from 'vitest';
import { enablePri, PagingDomain, PriCredits, PriqPump, SmmuMaster, smmuPriDriver } from './index.ts';
import { Rig } from './rig.test-help.ts';

const SID = 3;

async function open(stops: boolean): Promise<{
  rig: Rig;
  log: string[];
  run: <T>(p: Promise<T>) => Promise<T>;
  parts: Parameters<typeof smmuPriDriver>[0];
}> {
  const rig = new Rig({ functions: [SID], off: true });
  rig.enable();
  const log: string[] = [];
  const pump = new PriqPump(rig.words, rig.base, { reporter: rig.reporter, ops: rig.ops[0] });
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let open = true;
    const end = (): void => {
      open = false;
    };
    promise.then(end, end);
    while (open) {
      rig.hw.pump(64);
      if (rig.complete(0) > 0) log.push('completes');
      pump.pump(64);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return promise;
  };
  const ats = { enable: (): void => void log.push('ATS on'), disable: (): void => void log.push('ATS off') };
  const config = { ops: rig.ops[1], device: 1, streamIds: [SID], ats };
  const master = await run(SmmuMaster.claim(rig.words, rig.base, config));
  const pri = {
    enable: (wanted: number): number => Math.min(wanted, 8),
    disable: (): void => void log.push('PRI off'),
    reset: (): void => void log.push('reset'),
    isStopped: (): boolean => stops,
  };
  const credits = new PriCredits(16, 2);
  const parts = { driver: rig.driver, master, streamId: SID, ops: rig.ops[1], pri, credits, stopTimeoutMs: 20 };
  return { rig, log, run, parts };
}

test.each([true, false])('PRI-off, step by step, of a function that stops: %s', async (stops) => {
  const { rig, log, run, parts } = await open(stops);
  expect(() => enablePri(parts, 4)).toThrow('atsEnabled = false: ATS must be on (EINVAL)');
  await run(parts.master.attach(new PagingDomain({ stage1: { asid: 1, tableAt: 0x4000 } })));
  expect([enablePri(parts, 100), parts.credits.left]).toEqual([8, 6]);
  log.length = 0;
  const steps = smmuPriDriver(parts, 8);
  rig.request(0, 1 | 16, -1, 5); // on its way when PRI goes off
  await run(steps.blockDevice(1));
  await run(steps.fenceEventQueue());
  expect(rig.reporter.faults).toMatchObject([{ grpid: 5 }]); // the fence waited for it
  await run(steps.fenceResponses());
  await run(steps.disablePri(1));
  expect(log).toEqual(['PRI off', 'completes', ...(stops ? [] : ['reset']), 'ATS off', 'completes']);
  expect(parts.credits.left).toBe(14);
});

test('credits are bounded by the queue, and come back when the function refuses', async () => {
  const credits = new PriCredits(4, 1);
  expect([credits.take(2), credits.take(2)]).toEqual([2, 1]);
  expect(() => credits.take(1)).toThrow('PriCredits.take: wanted = 1: the PRI queue has no room left (ENOSPC)');
  credits.give(3);
  const master = { atsEnabled: true } as SmmuMaster;
  const pri = {
    enable: (): number => {
      throw new Error('busy');
    },
    disable: (): void => {},
    reset: (): void => {},
    isStopped: (): boolean => false,
  };
  expect(() => enablePri({ master, pri, credits }, 2)).toThrow('busy');
  expect(credits.left).toBe(3);
});
