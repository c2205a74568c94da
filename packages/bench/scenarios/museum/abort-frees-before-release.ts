// From 6.11 to 6.16, when a fault queue could not be made to the end, its file was put and the queue freed at once; but putting a
// file leaves its release to later work, which counted down a reference in what was freed.
import type { Scenario } from '@faultline/bench/explore';
import { refcountGet, refcountInit, refcountPut } from '@faultline/core/sync';
import { exhibit } from './exhibit.ts';
import { expectFreed, type Kernel } from './kernel.ts';
import { WorkQueue, workQueueFields } from './work-queue.ts';

const WORK = 0;
/** A fault queue's words: references of its users, the table's and its file's. */
const FAULT_OBJECT = { USERS: 0 };

/** iommufd_eventq_fops_release(). */
function release({ words }: Kernel, object: number): void {
  if (refcountPut(words, object + FAULT_OBJECT.USERS)) throw new Error('the file had the last reference');
}

export const abortFreesBeforeRelease: Scenario = exhibit(import.meta.url, {
  name: 'abort-frees-before-release',
  about: 'A fault queue is given up after its file was made: is the queue there until the file is released?',
  fix: {
    commit: '4e034bf045b1',
    title: 'iommufd: Fix race during abort for file descriptors',
    shipped: '6.11 to 6.16',
    fixed: '6.17',
  },
  releases: ['6.16', '6.17'],
  copy: {
    shared: workQueueFields(WORK),
    objects: {},
    setup: () => {},
    threads: {
      ioctl(kernel, faulty) {
        const { words } = kernel;
        const work = new WorkQueue(kernel, WORK);
        const object = kernel.alloc();
        refcountInit(words, object + FAULT_OBJECT.USERS, 1);
        refcountGet(words, object + FAULT_OBJECT.USERS); // the file's
        // No file descriptor was left: abort.
        if (faulty) work.queue(object);
        else release(kernel, object);
        kernel.free(object);
        work.end();
      },
      worker(kernel) {
        new WorkQueue(kernel, WORK).run((object) => release(kernel, object));
      },
    },
    check: (context) => expectFreed(context, 0),
  },
});
