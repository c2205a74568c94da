// The cost table's names, with what each is. All in nanoseconds of one processor, uncontended, with warm caches, unless they say
// otherwise. `held`: between taking the lock and giving it back, both included.

const COMMON = {
  'hardware.record': 'writing one fault into the event queue',
  'hardware.resume': 'taking one resume command and letting its access go on',
  'hardware.invalidate': 'taking one invalidation command',
  'hardware.sync': 'from a sync command written to the issuer knowing that it is complete, with nothing before it',
  'hardware.batch': "one turn of the hardware's thread, whatever it does in it; real hardware: 0",
  'hardware.sleep':
    "what the hardware's thread takes beyond a switch when it was asleep, as one with an event loop does; real hardware: 0",
  'hardware.interrupt': 'from a record written to the interrupt thread being woken',
  'interrupt.record': 'reading and decoding one record',
  'interrupt.batch': 'one turn of the interrupt thread: queue indices, end of an RCU section',
  'interrupt.sleep':
    'what the interrupt thread takes beyond a switch when it was asleep, as one with an event loop does; in a kernel: 0',
  'work.queue': 'putting one group on the work queue',
  'work.take': 'taking one group from the work queue',
  'work.batch': 'one turn of a handler: queue indices, active limit, end of an RCU section',
  'handler.look-up': "a fault's domain, address space and area",
  'handler.populate': 'making an absent page present: a zeroed page, its PTE',
  'handler.populate-cold': 'what that takes more with a page that has left the caches',
  'handler.restore': 'giving a page back that the scanner took',
  'handler.migrate': 'moving a page to another node, where the scanner has that done',
  'mmap.lock': 'taking the mmap lock shared, and giving it back',
  'respond.command': 'writing one resume command into the command queue',
  'respond.flush': 'publishing what was written, with the doorbell',
  'device.touch': "one page's access that finds it present",
  'device.post': 'one access that does not: putting it to the hardware',
  'device.collect': 'one answer taken',
  'device.round': 'one round of a device thread, whatever it does in it',
  'device.discard': 'one page given back to be fresh again',
  'job.submit': 'telling the device of a job; where the device is a thread of its own: 0',
  'scanner.visit': 'one PTE looked at',
  'scanner.take': 'one page taken',
  'scanner.hint': "a processor's own access to a page that was taken",
  'notifier.call': 'writing one invalidation with its sync, without waiting',
  'thread.wake': 'waking a thread that sleeps: the call',
  'thread.wake-latency': 'from that call until the thread runs, on an idle processor',
  'thread.switch': 'one thread leaving a processor, another one coming',
  'lock.sleep': 'going to sleep on a lock that is held, and waking whoever does',
  'line.transfer': 'a cache line from the processor that changed it last',
} as const;

const LOCKED = {
  'report.locked.outside': 'reporting one fault: outside the locks',
  'report.locked.param': "held under the device's parameter lock, the fault lock's part left out",
  'report.locked.fault': 'held under the fault lock',
  'respond.locked.outside': 'answering and freeing one group: outside the lock',
  'respond.locked.fault': 'held under the fault lock, with a list of one',
  'respond.locked.element': 'each further element of the list that is searched',
} as const;

const V7 = {
  'report.v7.outside': 'reporting one fault: outside the locks',
  'report.v7.param': "held under the device's parameter lock, for the reference",
  'report.v7.fault': 'held under the fault lock',
  'respond.v7.outside': 'answering and freeing one group: outside the locks',
  'respond.v7.param': "held under the device's parameter lock, for the reference",
  'respond.v7.fault': 'held under the fault lock, with a list of one',
  'respond.v7.element': 'each further element of the list that is searched',
} as const;

const MAINLINE = {
  'report.mainline.outside': 'reporting one fault: outside the lock',
  'report.mainline.fault': 'held under the fault lock',
  'respond.mainline.outside': 'answering and freeing one group: outside the lock',
  'respond.mainline.fault': 'held under the fault lock',
} as const;

const LOCKLESS = {
  'report.lockless.outside': 'reporting one fault',
  'respond.lockless.outside': 'answering and freeing one group',
} as const;

const ADAPTIVE = {
  'report.adaptive.outside': 'reporting one fault',
  'respond.adaptive.outside': 'answering and freeing one group',
  'report.adaptive.joined': 'one more fault of the same job joining a group, where faults are coalesced',
} as const;

const TEXTS = { ...COMMON, ...LOCKED, ...V7, ...MAINLINE, ...LOCKLESS, ...ADAPTIVE };

export type CostName =
  | keyof typeof COMMON
  | keyof typeof LOCKED
  | keyof typeof V7
  | keyof typeof MAINLINE
  | keyof typeof LOCKLESS
  | keyof typeof ADAPTIVE;
/** What each cost is, in words. */
export const COST_TEXTS: Readonly<Record<CostName, string>> = TEXTS;
export const COST_NAMES: readonly CostName[] = Object.keys(TEXTS) as CostName[];
