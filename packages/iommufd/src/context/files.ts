import { destroyAccess } from '../access/index.ts';
import { FileTable } from '../files/file-table.ts';
import { FILE_ACCESS, FILE_CONTEXT, FILE_EVENTS, FILE_FAULT, FILE_KIND, FILE_OBJECT } from '../files/layout.ts';
import type { Machine } from '../machine/index.ts';
import { Context } from './context.ts';

/** Opens a process's descriptors in this thread. A file of a context keeps it: /dev/iommu itself, fault and event files, accesses. */
export function openFiles(machine: Machine, process: number): FileTable {
  return new FileTable({
    words: machine.words,
    fds: machine.fdsOf(process),
    pool: machine.pools.files,
    fail: machine.fail,
    release: (fileAt) => endFile(machine, fileAt),
  });
}

function endFile(machine: Machine, fileAt: number): void {
  const { words } = machine;
  const number = words[fileAt + FILE_CONTEXT];
  if (number === 0) return;
  const context = new Context(machine, number);
  const kind = words[fileAt + FILE_KIND];
  if (kind === FILE_FAULT || kind === FILE_EVENTS) context.objects.release(words[fileAt + FILE_OBJECT]);
  else if (kind === FILE_ACCESS) destroyAccess(context, words[fileAt + FILE_OBJECT]);
  context.put();
}
