import { expect } from 'vitest';
import { Iommufd } from '../../iommufd.ts';
import { type MockFault, reportMockFault, triggerMockFault } from '../../testing/mock/index.ts';
import { createMockLab, type MockLab, openMockLab } from '../../testing/mock-lab.ts';
import type { OpenFaultFile } from './fault-file.ts';

export interface FaultRig {
  readonly lab: MockLab;
  readonly iommufd: Iommufd;
  readonly devId: number;
  readonly faultId: number;
  readonly file: OpenFaultFile;
  /** A group of one request. */
  trigger(grpid: number, more?: Partial<MockFault>): void;
  /** A group of several, at pages that follow one another. */
  triggerGroup(grpid: number, pages: number): void;
  /** [group, code] answered so far. */
  answers(): [grpid: number, code: number][];
  expectNothingLeft(): void;
}

export function openFaultRig(): FaultRig {
  const lab = openMockLab(createMockLab());
  lab.driver.addDevice(1, 0);
  const iommufd = Iommufd.open(lab.machine, lab.caller(1));
  const devId = iommufd.bind(1);
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  iommufd.attach(devId, iommufd.hwptAlloc({ devId, ptId: iommufd.ioasAlloc(), faultId }));
  const file = iommufd.openFaultFile(faultFd);
  const fault = (grpid: number): MockFault => ({ device: 1, pasid: 0, grpid, perm: 1, page: 16 });
  return {
    lab,
    iommufd,
    devId,
    faultId,
    file,
    trigger: (grpid, more) => void triggerMockFault(lab.machine, { ...fault(grpid), ...more }),
    triggerGroup(grpid, pages) {
      lab.machine.answering(() => {
        for (let i = 0; i < pages; i++)
          reportMockFault(lab.machine, { ...fault(grpid), page: 16 + i, last: i === pages - 1 });
        lab.machine.path.endBatch();
      });
    },
    answers: () => lab.answers.map(({ grpid, code }) => [grpid, code]),
    expectNothingLeft() {
      file.close();
      iommufd.close();
      expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
    },
  };
}
