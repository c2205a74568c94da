import type { IommuOps } from '../ops.ts';
import type { IopfSystem } from '../system.ts';
import { AdaptiveSharedFaultPath, AdaptiveSplitFaultPath } from './adaptive.ts';
import type { FaultPath, Generation, GroupSink } from './fault-path.ts';
import { LockedFaultPath } from './locked.ts';
import { LocklessSharedFaultPath } from './lockless-shared.ts';
import { LocklessSplitFaultPath } from './lockless-split.ts';
import { MainlineFaultPath } from './mainline.ts';
import { V7FaultPath } from './v7.ts';

export { type FaultPath, GENERATIONS, type Generation, type GroupSink } from './fault-path.ts';

/** Opens a generation's fault path for one thread. */
export function openFaultPath(generation: Generation, system: IopfSystem, ops: IommuOps, sink: GroupSink): FaultPath {
  switch (generation) {
    case 'locked':
      return new LockedFaultPath(system, ops, sink);
    case 'v7':
      return new V7FaultPath(system, ops, sink);
    case 'mainline':
      return new MainlineFaultPath(system, ops, sink);
    case 'lockless':
      return system.config.sharing === 'split'
        ? new LocklessSplitFaultPath(system, ops, sink)
        : new LocklessSharedFaultPath(system, ops, sink);
    case 'adaptive':
      return system.config.sharing === 'split'
        ? new AdaptiveSplitFaultPath(system, ops, sink)
        : new AdaptiveSharedFaultPath(system, ops, sink);
  }
}
