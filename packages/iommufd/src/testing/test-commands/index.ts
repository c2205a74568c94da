import type { Caller } from '../../caller/index.ts';
import { COMMANDS, type Context, Dispatcher } from '../../context/index.ts';
import type { MockLab } from '../mock-lab.ts';
import { accessPages, accessRw, createTestAccess, destroyAccessPages, replaceTestAccess } from './access.ts';
import { checkDeviceCache, checkIotlb, checkMap, checkRefs } from './check.ts';
import { type TestOp, testCommand } from './command.ts';
import { dmabufGet, dmabufRevoke } from './dmabuf.ts';
import { addReserved, dirty, setTempMemoryLimit } from './memory.ts';
import { mockDomain, mockDomainFlags, mockDomainReplace } from './mock-domain.ts';
import { pasidAttach, pasidCheckHwpt, pasidDetach, pasidReplace } from './pasid.ts';
import { triggerIopf, triggerVevent } from './trigger.ts';

export * from './access.ts';
export * from './command.ts';
export * from './layout.ts';

/** Every operation of the test command, over a lab as this thread has it. */
export function testOps(lab: MockLab): readonly TestOp[] {
  const { driver, ram } = lab;
  return [
    accessPages,
    accessRw(ram),
    addReserved,
    checkDeviceCache(driver),
    checkIotlb(driver),
    checkMap(driver),
    checkRefs(ram),
    createTestAccess,
    destroyAccessPages,
    dirty(driver),
    dmabufGet(lab),
    dmabufRevoke(lab),
    mockDomain(driver),
    mockDomainFlags(driver),
    mockDomainReplace,
    pasidAttach,
    pasidCheckHwpt,
    pasidDetach,
    pasidReplace,
    replaceTestAccess,
    setTempMemoryLimit(driver),
    triggerIopf(driver),
    triggerVevent(driver),
  ] as readonly TestOp[];
}

/** The ioctls of /dev/iommu and the test command. */
export function testDispatcher(
  lab: MockLab,
  legacy?: (context: Context, caller: Caller, request: number, address: bigint) => number,
): Dispatcher {
  return new Dispatcher([...COMMANDS, testCommand(testOps(lab))], legacy);
}
