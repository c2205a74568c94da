import { destroyAccess } from '../access/index.ts';
import { Delivery } from '../fault-queue/index.ts';
import { FileTable } from '../files/file-table.ts';
import { FILE_ACCESS, FILE_CONTEXT, FILE_EVENTS, FILE_FAULT, FILE_KIND, FILE_OBJECT } from '../files/layout.ts';
import type { Machine } from '../machine/index.ts';
import { FAULT_QUEUE, VEVENTQ_BODY } from '../objects/index.ts';
import { EventQueue } from '../veventq/event-queue.ts';
import { Context } from './context.ts';

/** Opens a process's descriptors in this thread. A file of a context keeps it: /dev/iommu itself, fault and event files, accesses. */
export function openFiles(machine: Machine, process: number): FileTable {
  return new FileTable({
    words: machine.words,
    fds: machine.fdsOf(process),
    pool: machine.pools.files,
    fail: machine.fail,
    closed: (fileAt) => wakeReaders(machine, fileAt),
    release: (fileAt) => endFile(machine, fileAt),
  });
}

function endFile(machine: Machine, fileAt: number): void {
  const { words } = machine;
  const number = words[fileAt + FILE_CONTEXT];
  if (number === 0) return;
  const context = new Context(machine, number);
  const kind = words[fileAt + FILE_KIND];
  const object = words[fileAt + FILE_OBJECT];
  if (kind === FILE_FAULT || kind === FILE_EVENTS) context.objects.release(object);
  else if (kind === FILE_ACCESS) destroyAccess(context, object);
  context.put();
}

/** Who sleeps until something can be read of a file: on another descriptor, they look and sleep on. */
function wakeReaders(machine: Machine, fileAt: number): void {
  const { words, pools } = machine;
  const kind = words[fileAt + FILE_KIND];
  const objectAt = pools.objects.at(words[fileAt + FILE_OBJECT]);
  if (kind === FILE_EVENTS) new EventQueue(machine, words[objectAt + VEVENTQ_BODY]).wake();
  else if (kind === FILE_FAULT)
    new Delivery(machine.system, machine.faultQueueAt(words[objectAt + FAULT_QUEUE])).wake();
}
