// Every allocation on a path is made to fail in turn, until the path runs through untouched: what was refused has left nothing.
// Pools are small, so that what leaks from a place without a count is missing soon.
import { IommuError } from '@faultline/core/errors';
import { RESPONSE_FAILURE, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { expect, test } from 'vitest';
import { attachAccess, createAccess, destroyAccess, pinAccess, unpinAccess } from '../access/index.ts';
import { MemoryFile, PAGE_BYTES } from '../caller/index.ts';
import { compatIoasId, DMA_UNMAP, VFIO_IOMMU_UNMAP_DMA, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU } from '../compat/index.ts';
import { attachDevice, bindDevice, detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { FaultFile } from '../files/fault-file.ts';
import { FILE_MEMORY } from '../files/layout.ts';
import { pinRange, unpinRange } from '../ioas/index.ts';
import { FAULT_QUEUE } from '../objects/index.ts';
import { makeByteRig } from '../testing/bytes.test-help.ts';
import { MOCK_DEV_PASID, MOCK_HWPT_DATA_TYPE, triggerMockFault } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import {
  type Args,
  FAULT_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  HWPT_GET_DIRTY_BITMAP,
  IOAS_ALLOC,
  IOAS_ALLOW_IOVAS,
  IOAS_CHANGE_PROCESS,
  IOAS_COPY,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  OBJ_FAULT,
  OBJ_IOAS,
  PAGE_RESPONSE,
  PGFAULT,
  type Struct,
} from '../uapi/index.ts';
import { openContext } from './index.ts';

const PAGE = BigInt(PAGE_BYTES);
const BASE = 1n << 24n;
const FIXED = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;

type FailRig = ReturnType<typeof failRig>;

function failRig() {
  const sizes = {
    devices: 3,
    domains: 6,
    objects: 16,
    ioas: 3,
    areas: 12,
    pages: 12,
    pins: 12,
    ranges: 12,
    attachments: 8,
  };
  const rig = makeByteRig({ ...sizes, files: 6, faultQueues: 2, frames: 256, window: 256, contexts: 2 });
  const { lab, context } = rig;
  const { driver, machine } = lab;
  const caller = lab.caller(1);
  // The driver allocates, too.
  const { map, attach, allocPaging } = driver;
  const ask = (what: string): void => {
    if (machine.fail.fails(what)) throw new IommuError('ENOMEM', what, 'driver', 0, 'made to fail');
  };
  driver.map = (...args) => {
    ask('driver map');
    map.apply(driver, args);
  };
  driver.attach = (...args) => {
    ask('driver attach');
    attach.apply(driver, args);
  };
  driver.allocPaging = (...args) => {
    ask('driver domain');
    return allocPaging.apply(driver, args);
  };
  const file = MemoryFile.create(lab.ram, 4 * PAGE_BYTES);
  lab.mappable.set(1, file);
  /** Calls by bytes. @throws the refusal itself. */
  const ioctl = <S extends Struct>(struct: S, args: Partial<Args<S>>): Args<S> => {
    rig.send(struct, args);
    if (rig.dispatcher.lastError !== undefined) throw rig.dispatcher.lastError;
    return rig.received(struct) as unknown as Args<S>;
  };
  return {
    ...rig,
    caller,
    file,
    ioctl,
    /** A legacy call. @throws the refusal itself. */
    legacy(request: number, argument: bigint): void {
      rig.dispatcher.ioctl(context, caller, request, argument);
      if (rig.dispatcher.lastError !== undefined) throw rig.dispatcher.lastError;
    },
    /** Maps pages that are not contiguous. */
    scattered(count: number): bigint {
      const all = lab.processes[0].mmap(2 * count * PAGE_BYTES);
      const frames = Array.from({ length: count }, (_, i) => lab.processes[0].frameAt(all + BigInt(2 * i) * PAGE));
      return lab.processes[0].mmap(count * PAGE_BYTES, { frames });
    },
    books: (): Readonly<Record<string, unknown>> => {
      machine.synchronize();
      return {
        live: machine.live(),
        pinned: lab.ram.pinned(),
        used: lab.ram.used(),
        charged: lab.processes[0].chargedToUser(),
        mapped: driver.pages.used(),
        fds: caller.files.count(),
        ids: context.objects.unfinished(),
      };
    },
  };
}

/** A device on page tables of its own over an IOAS. */
function attached(rig: FailRig, device: number, ioasId: number): { devId: number; hwptId: number } {
  const devId = rig.bind(device, MOCK_DEV_PASID);
  const hwptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags: HWPT_ALLOC_PASID }).outHwptId;
  attachDevice(rig.context, devId, { ptId: hwptId });
  return { devId, hwptId };
}

/** What is made ready, and the path itself: what it returns, if anything, takes it back. */
const PATHS: Readonly<Record<string, (rig: FailRig) => () => (() => void) | undefined | unknown>> = {
  open:
    ({ lab }) =>
    () => {
      const context = openContext(lab.machine);
      return () => context.put();
    },
  IOAS_ALLOC: (rig) => () => void rig.ioctl(IOAS_ALLOC, {}),
  IOAS_ALLOW_IOVAS: (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const allowedIovas = rig.memory.mmap(PAGE_BYTES);
    rig.memory.write(allowedIovas, new Uint8Array(new BigUint64Array([0n, 99n, 200n, 299n, 1000n, 9000n]).buffer));
    rig.ioctl(IOAS_ALLOW_IOVAS, { ioasId, numIovas: 2, allowedIovas });
    return () => void rig.ioctl(IOAS_ALLOW_IOVAS, { ioasId, numIovas: 3, allowedIovas });
  },
  'IOAS_MAP without a domain': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.memory.mmap(2 * PAGE_BYTES);
    return () => void rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE });
  },
  'IOAS_MAP with two domains, pages apart': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    attached(rig, 1, ioasId);
    attached(rig, 2, ioasId);
    const userVa = rig.scattered(3);
    return () => void rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 3n * PAGE, iova: BASE });
  },
  'IOAS_MAP of pages that are shared until written': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    attached(rig, 1, ioasId);
    const userVa = rig.memory.mmap(2 * PAGE_BYTES);
    rig.memory.forkInto(rig.lab.processes[1]);
    rig.memory.write(rig.page, new Uint8Array(1)); // the argument page is the process's own again
    return () => void rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE });
  },
  IOAS_MAP_FILE: (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    attached(rig, 1, ioasId);
    const fd = rig.caller.files.install('test', FILE_MEMORY, 0, 1);
    return () => void rig.ioctl(IOAS_MAP_FILE, { ioasId, flags: FIXED, fd, start: 0n, length: 3n * PAGE, iova: BASE });
  },
  'IOAS_COPY of two areas into domains': (rig) => {
    const srcIoasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const dstIoasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.scattered(2);
    const map = { ioasId: srcIoasId, flags: FIXED, length: 2n * PAGE, userVa };
    rig.ioctl(IOAS_MAP, { ...map, iova: BASE });
    rig.ioctl(IOAS_MAP, { ...map, iova: BASE + 2n * PAGE });
    attached(rig, 1, dstIoasId);
    attached(rig, 2, dstIoasId);
    const copy = { srcIoasId, dstIoasId, flags: FIXED, srcIova: BASE + PAGE, dstIova: BASE, length: 3n * PAGE };
    return () => void rig.ioctl(IOAS_COPY, copy);
  },
  'HWPT_ALLOC over what is mapped': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const { outFaultId: faultId } = rig.ioctl(FAULT_QUEUE_ALLOC, {});
    const userVa = rig.scattered(2);
    for (const at of [0n, 4n])
      rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE + at * PAGE });
    const devId = rig.bind(1);
    const flags = HWPT_FAULT_ID_VALID | HWPT_ALLOC_DIRTY_TRACKING;
    return () => void rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags, faultId });
  },
  HWPT_GET_DIRTY_BITMAP: (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const devId = rig.bind(1);
    const hwptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags: HWPT_ALLOC_DIRTY_TRACKING }).outHwptId;
    const data = rig.memory.mmap(PAGE_BYTES);
    const dirty = { hwptId, iova: BASE, length: 4n * PAGE, pageSize: PAGE, data };
    return () => void rig.ioctl(HWPT_GET_DIRTY_BITMAP, dirty);
  },
  FAULT_QUEUE_ALLOC: (rig) => () => void rig.ioctl(FAULT_QUEUE_ALLOC, {}),
  bind: (rig) => {
    rig.lab.driver.addDevice(1, 0);
    return () => {
      const id = bindDevice(rig.context, 1);
      return () => unbindDevice(rig.context, id);
    };
  },
  'attach to an IOAS': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.scattered(2);
    rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE });
    rig.lab.driver.reservedRanges = () => [
      { start: 0n, last: 99n },
      { start: 200n, last: 299n },
    ];
    const id = rig.bind(1);
    return () => void attachDevice(rig.context, id, { ptId: ioasId });
  },
  'attach to an HWPT with faults, at a PASID': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const { outFaultId: faultId } = rig.ioctl(FAULT_QUEUE_ALLOC, {});
    const devId = rig.bind(1, MOCK_DEV_PASID);
    const flags = HWPT_FAULT_ID_VALID | HWPT_ALLOC_PASID;
    const ptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags, faultId }).outHwptId;
    return () => {
      attachDevice(rig.context, devId, { ptId, pasid: 5 });
      return () => detachDevice(rig.context, devId, 5);
    };
  },
  'replace by an IOAS': (rig) => {
    const from = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const to = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.memory.mmap(PAGE_BYTES);
    rig.lab.driver.reservedRanges = () => [{ start: 0n, last: 99n }];
    rig.ioctl(IOAS_MAP, { ioasId: to, flags: FIXED, userVa, length: PAGE, iova: BASE });
    const id = rig.bind(1);
    attachDevice(rig.context, id, { ptId: from });
    return () => void replaceDevice(rig.context, id, { ptId: to });
  },
  'replace by an HWPT with faults': (rig) => {
    const from = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const { outFaultId: faultId } = rig.ioctl(FAULT_QUEUE_ALLOC, {});
    const devId = rig.bind(1);
    const ptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: from, flags: HWPT_FAULT_ID_VALID, faultId }).outHwptId;
    attachDevice(rig.context, devId, { ptId: from });
    return () => void replaceDevice(rig.context, devId, { ptId });
  },
  'HWPT_ALLOC, nested, with faults': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const { outFaultId: faultId } = rig.ioctl(FAULT_QUEUE_ALLOC, {});
    const devId = rig.bind(1);
    const ptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags: HWPT_ALLOC_NEST_PARENT }).outHwptId;
    const data = { dataType: MOCK_HWPT_DATA_TYPE, dataLen: 4, dataUptr: rig.memory.mmap(PAGE_BYTES) };
    return () => void rig.ioctl(HWPT_ALLOC, { devId, ptId, flags: HWPT_FAULT_ID_VALID, faultId, ...data });
  },
  'replace at a PASID': (rig) => {
    const ptId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const devId = rig.bind(1, MOCK_DEV_PASID);
    const own = rig.ioctl(HWPT_ALLOC, { devId, ptId, flags: HWPT_ALLOC_PASID }).outHwptId;
    const other = rig.ioctl(HWPT_ALLOC, { devId, ptId, flags: HWPT_ALLOC_PASID }).outHwptId;
    attachDevice(rig.context, devId, { ptId: own, pasid: 5 });
    return () => void replaceDevice(rig.context, devId, { ptId: other, pasid: 5 });
  },
  'an access and what it pins': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.memory.mmap(2 * PAGE_BYTES);
    rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE });
    return () => {
      const access = createAccess(rig.context, 'access', { kind: 1, pins: true });
      try {
        attachAccess(rig.context, 'access', access, ioasId);
        pinAccess(rig.context, 'access', access, { iova: BASE, length: 2n * PAGE }, true);
        unpinAccess(rig.context, access, { iova: BASE, length: 2n * PAGE });
      } finally {
        destroyAccess(rig.context, access);
        rig.context.put();
      }
    };
  },
  'pins of two areas': (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    const userVa = rig.memory.mmap(4 * PAGE_BYTES);
    for (const at of [0n, 2n])
      rig.ioctl(IOAS_MAP, {
        ioasId,
        flags: FIXED,
        userVa: userVa + at * PAGE,
        length: 2n * PAGE,
        iova: BASE + at * PAGE,
      });
    const object = rig.context.objects.get('test', 'id', ioasId, OBJ_IOAS);
    rig.context.objects.put(object);
    return () => {
      pinRange(rig.context, object, 'pin', BASE + PAGE, 2n * PAGE, true);
      return () => unpinRange(rig.context, object, BASE + PAGE, 2n * PAGE);
    };
  },
  'a compat IOAS': (rig) => () => void compatIoasId(rig.context),
  'VFIO unmap of half an area': (rig) => {
    const ioasId = compatIoasId(rig.context);
    const userVa = rig.memory.mmap(4 * PAGE_BYTES);
    rig.ioctl(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 4n * PAGE, iova: BASE });
    rig.legacy(VFIO_SET_IOMMU, BigInt(VFIO_TYPE1_IOMMU));
    const unmap = new Uint8Array(DMA_UNMAP.bytes);
    new DataView(unmap.buffer).setUint32(DMA_UNMAP.argsz, DMA_UNMAP.bytes, true);
    new DataView(unmap.buffer).setBigUint64(DMA_UNMAP.iova, BASE, true);
    new DataView(unmap.buffer).setBigUint64(DMA_UNMAP.size, 2n * PAGE, true);
    rig.memory.write(rig.page, unmap);
    return () => rig.legacy(VFIO_IOMMU_UNMAP_DMA, rig.page);
  },
  IOAS_CHANGE_PROCESS: (rig) => {
    const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
    attached(rig, 1, ioasId);
    const fd = rig.caller.files.install('test', FILE_MEMORY, 0, 1);
    rig.ioctl(IOAS_MAP_FILE, { ioasId, flags: FIXED, fd, start: 0n, length: 3n * PAGE, iova: BASE });
    return () => void rig.ioctl(IOAS_CHANGE_PROCESS, {});
  },
};

test.each(Object.keys(PATHS))('%s', (name) => {
  const rig = failRig();
  const { fail } = rig.lab.machine;
  const run = PATHS[name](rig);
  // A copy that was made for a pin stays the process's, as after any write of its own.
  const copies = name.includes('shared until written') ? { used: 0 } : {};
  const before = { ...rig.books(), ...copies };
  const failed: string[] = [];
  let undo: unknown;
  for (let nth = 1; ; nth++) {
    fail.arm(nth);
    let refusal = '';
    try {
      undo = run();
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      refusal = error.code;
    }
    const { failedAt } = fail;
    fail.arm(0);
    if (failedAt === '') {
      expect(refusal).toBe('');
      break;
    }
    expect([failedAt, refusal]).toEqual([failedAt, failedAt === 'fd' ? 'EMFILE' : 'ENOMEM']);
    expect([failedAt, { ...rig.books(), ...copies }]).toEqual([failedAt, before]);
    failed.push(failedAt);
  }
  expect(failed.length).toBeGreaterThan(0);
  if (typeof undo === 'function') undo();
  for (let fd = 3; rig.caller.files.count() > 0; fd++) rig.caller.files.close(fd);
  for (const device of [1, 2]) {
    const id = rig.lab.machine.deviceIdOf(device);
    if (id === 0) continue;
    for (const pasid of [0, 5]) detachDevice(rig.context, id, pasid);
    unbindDevice(rig.context, id);
  }
  rig.expectNothingLeft();
});

test('a fault from its report to its answer: what has no memory is answered Failure, or waits for the next read', () => {
  const rig = failRig();
  const { lab, context, memory, page } = rig;
  const { machine, answers } = lab;
  const ioasId = rig.ioctl(IOAS_ALLOC, {}).outIoasId;
  const { outFaultId: faultId, outFaultFd } = rig.ioctl(FAULT_QUEUE_ALLOC, {});
  const devId = rig.bind(1);
  const ptId = rig.ioctl(HWPT_ALLOC, { devId, ptId: ioasId, flags: HWPT_FAULT_ID_VALID, faultId }).outHwptId;
  attachDevice(context, devId, { ptId });
  const fault = context.objects.get('test', 'fault_id', faultId, OBJ_FAULT);
  const file = new FaultFile(machine, context.words[context.objects.at(fault) + FAULT_QUEUE]);
  context.objects.put(fault);
  const before = rig.books();
  const failed: string[] = [];
  for (let nth = 1; failed.at(-1) !== ''; nth++) {
    answers.length = 0;
    machine.fail.arm(nth);
    triggerMockFault(machine, { device: 1, pasid: 0, grpid: nth, perm: 1, page: 16 });
    const isReported = answers.length === 0;
    if (isReported) {
      const refusal = refusalOf(() => file.read(memory, page, PGFAULT.bytes));
      if (refusal !== '')
        expect([refusal, file.read(memory, page, PGFAULT.bytes)]).toEqual(['ENOMEM cookie', PGFAULT.bytes]);
      const record = new Uint32Array(PGFAULT.bytes / 4);
      memory.read(page, new Uint8Array(record.buffer));
      memory.write(page, new Uint8Array(Uint32Array.of(record[PGFAULT.cookie / 4], RESPONSE_SUCCESS).buffer));
      expect(file.write(memory, page, PAGE_RESPONSE.bytes)).toBe(PAGE_RESPONSE.bytes);
    }
    failed.push(machine.fail.failedAt);
    machine.fail.arm(0);
    expect(answers).toEqual([{ grpid: nth, code: isReported ? RESPONSE_SUCCESS : RESPONSE_FAILURE }]);
    expect(rig.books()).toEqual(before);
  }
  expect(failed).toEqual(['page request', 'ring slot', 'cookie', '']);
  detachDevice(context, devId);
  unbindDevice(context, devId);
  rig.caller.files.close(outFaultFd);
  machine.close();
  expect(machine.system.requests.live()).toBe(0);
  rig.expectNothingLeft();
});
