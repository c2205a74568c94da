// A fault queue by itself, under any fault path and driver: a group of two faults, read and answered; a second answer is refused.
import * as iopf from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import * as iommufd from '@faultline/iommufd';

const config = {
  devices: 1,
  domains: 1,
  threads: 1,
  requests: 64,
  workEntries: 2,
  sharing: 'split',
  checked: true,
} as const;
const shape = { number: 0, entries: 16, groups: config.requests };
const regions = [
  { name: 'queue', words: iommufd.faultQueueWords(shape) },
  { name: 'routes', words: iommufd.faultRoutesWords(config.domains) },
];
const arena = Arena.create(planArena([...iopf.iopfRegions(config), ...regions]));
const base = arena.base('queue');
const routes = arena.base('routes');
iopf.initIopf(arena, config);
iommufd.initFaultQueue(arena.words, base, shape);
const system = new iopf.IopfSystem(arena, { id: 1, spins: 0 });
const ops = { pageResponse: (_at: number, code: number) => console.log('the device gets', code), flushResponses() {} };
const sink = new iommufd.FaultSink({ system, routes, queues: [base], work: iommufd.reportsNothing });
const path = iopf.openFaultPath('mainline', system, ops, sink);
const queue = new iommufd.FaultQueue({ system, path, ops, base }); // here, or on any other thread
system.reader.online();
path.addDevice(1);
const domain = iopf.allocDomain(system, { handler: iopf.HANDLER_CONSUMER });
iommufd.routeDomain(system, routes, domain, 0);
iopf.attachDomain(system, 1, 0, domain);

function fault(page: number, flags: number): void {
  const at = path.prepareFault();
  arena.words.set([1, flags, 0, 7, iopf.FAULT_PERM_READ, page, 0, 0], at); // device 1, no PASID, group 7
  path.reportDeviceFault(at);
}
fault(16, 0);
fault(17, iopf.FAULT_FLAG_LAST_PAGE); // completes the group
path.endBatch();

const cookie = queue.next();
do console.log(`cookie ${cookie}: page ${queue.fault.page}`);
while (queue.fault.next());
queue.respond(cookie, iopf.RESPONSE_SUCCESS);
try {
  queue.respond(cookie, iopf.RESPONSE_SUCCESS);
} catch (error) {
  console.log(String(error));
}
