import { FAULT_GRPID } from '@faultline/core/iopf';
import { Arena } from '@faultline/core/memory';
import type { ThreadSelf } from '@faultline/core/sync';
import { iommufdConfig } from '../machine/index.ts';
import { OBJ_SELFTEST } from '../uapi/index.ts';
import { createLab, type Lab, type LabConfig, openLab, type SharedLab } from './lab.ts';
import { initMock, MockDriver, mockRegions } from './mock/index.ts';
import { installTestAccess } from './test-commands/access.ts';
import { endMockDevice } from './test-commands/mock-domain.ts';

/** A lab behind the mock IOMMU, in this thread. */
export interface MockLab extends Lab {
  readonly driver: MockDriver;
  /** What was answered on this thread: [device's group id, code]. */
  readonly answers: { readonly grpid: number; readonly code: number }[];
  readonly shared: SharedLab;
}

export interface MockLabConfig extends LabConfig {
  /** Slots of the mock's page tables, a power of two. */
  readonly slots?: number;
}

/** Makes a lab behind the mock, to be opened by {@link openMockLab}. */
export function createMockLab({ slots, ...config }: MockLabConfig = {}): SharedLab {
  const shared = createLab(config, mockRegions({ ...iommufdConfig(config), slots, frames: config.frames }));
  initMock(Arena.open(shared.arena), slots);
  return shared;
}

/** Opens it in this thread, once. */
export function openMockLab(shared: SharedLab, self: ThreadSelf = { id: 1, spins: 0 }): MockLab {
  const answers: MockLab['answers'][number][] = [];
  let driver: MockDriver | undefined;
  const lab = openLab(
    shared,
    (arena, _self, ram) => {
      driver = new MockDriver(arena, self, ram);
      const { words } = arena;
      const pageResponse = (recordAt: number, code: number): void => {
        answers.push({ grpid: words[recordAt + FAULT_GRPID], code });
      };
      return { driver, ops: { pageResponse, flushResponses() {} } };
    },
    self,
  );
  const mock: MockLab = { ...lab, driver: driver as MockDriver, answers, shared };
  installTestAccess(lab.machine);
  lab.machine.objectEnds.set(OBJ_SELFTEST, (context, at) => endMockDevice(mock.driver, context, at));
  return mock;
}
