// FAULT_QUEUE_ALLOC, and a fault queue's end. @see Linux drivers/iommu/iommufd/eventq.c iommufd_fault_alloc()
import { IommuError } from '@faultline/core/errors';
import type { Command, Context } from '../context/index.ts';
import { FILE_FAULT } from '../files/layout.ts';
import { FAULT_QUEUE } from '../objects/index.ts';
import { FAULT_QUEUE_ALLOC, OBJ_FAULT } from '../uapi/index.ts';
import { autoRespond } from './auto-respond.ts';

const CALL = 'FAULT_QUEUE_ALLOC';

export const faultQueueAlloc: Command<typeof FAULT_QUEUE_ALLOC> = {
  struct: FAULT_QUEUE_ALLOC,
  run(context, { args, caller, respond }) {
    const { machine, objects, words } = context;
    if (args.flags !== 0) throw new IommuError('EOPNOTSUPP', CALL, 'flags', args.flags, 'must be 0');
    const undo: (() => void)[] = [];
    try {
      const fault = objects.reserve(CALL, OBJ_FAULT);
      undo.push(() => objects.abort(fault));
      const queue = machine.takeFaultQueue(CALL);
      undo.push(() => machine.giveFaultQueue(queue));
      words[objects.at(fault) + FAULT_QUEUE] = queue;
      // The file holds the object and the context, for as long as it is open.
      objects.hold(fault);
      context.hold();
      undo.push(() => objects.release(fault));
      undo.push(() => context.put());
      const fd = caller.files.reserve(CALL, FILE_FAULT, context.number, fault);
      undo.push(() => caller.files.abandon(fd));
      args.outFaultId = objects.idOf(fault);
      args.outFaultFd = fd;
      respond();
      objects.finalize(fault);
      caller.files.publish(fd); // last: from here on other threads may close it
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  },
};

/** Destroyer: its file is closed, no HWPT names it. What is left in it is answered. */
export function endFault({ machine, words }: Context, at: number): void {
  const queue = words[at + FAULT_QUEUE];
  machine.answering(() => autoRespond(machine, machine.faultQueueAt(queue), { device: 0, domain: 0 }));
  machine.giveFaultQueue(queue);
}
