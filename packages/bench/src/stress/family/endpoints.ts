// What the families that are reached through PCIe share: a function a device, a queue of it a device thread, each with a PRI port.
// Unless told otherwise an access is a page request group of its own, as a stall is, so that figures of all families count the same, and
// endpoints keep no translations: device threads walk the address space themselves, and unmapping has nothing of theirs to invalidate.
import type { Arena, RegionSpec } from '@faultline/core/memory';
import {
  AtsCapability,
  Endpoint,
  EndpointMemory,
  endpointStatWords,
  functionWords,
  initEndpointStats,
  initFunction,
  initPriPort,
  PRG_INDICES,
  PriCapability,
  priPortWords,
} from '@faultline/hw/pcie';
import {
  allDevices,
  allPorts,
  type CellWiring,
  deviceOf,
  ENDPOINTS_REGION,
  type FamilySizes,
  FUNCTIONS_REGION,
  type OpenFaultPort,
  PASID,
  PORTS_REGION,
  portBaseOf,
  portPlaces,
} from './family.ts';
import { HOSTILE_CREDITS, HOSTILE_PORT_CREDITS } from './hostile.ts';

export function endpointRegions(sizes: FamilySizes): RegionSpec[] {
  return [
    { name: PORTS_REGION, words: allPorts(sizes) * priPortWords(largestPort(sizes)) },
    { name: FUNCTIONS_REGION, words: allDevices(sizes) * functionWords() },
    { name: ENDPOINTS_REGION, words: allPorts(sizes) * endpointStatWords() },
  ];
}

function mostCredits(sizes: FamilySizes): number {
  return Math.min(sizes.pagesPerJob, PRG_INDICES);
}

function largestPort(sizes: FamilySizes): number {
  return Math.max(mostCredits(sizes), sizes.hostile ? HOSTILE_PORT_CREDITS : 0);
}

/** So that a job's pages seldom meet in one set. */
const ATC_ENTRIES_PER_PAGE = 2;

/** Lays out functions and ports for the cell's threads.
 * Each queue of a function has an equal part of its 512 group indices, and of the records that the IOMMU's queue has room for. */
export function initEndpoints(arena: Arena, sizes: FamilySizes, cell: CellWiring, announceBase: number): void {
  const { words } = arena;
  const places = portPlaces(arena, sizes, true);
  const honest = sizes.queueEntries - 1 - (sizes.hostile ? HOSTILE_CREDITS : 0);
  const share = Math.floor(honest / cell.threads);
  const portsOf = (device: number): number => Math.ceil((cell.threads - device + 1) / sizes.devices);
  const groupsOf = (device: number): number => Math.floor(PRG_INDICES / portsOf(device));
  const creditsOf = (device: number): number =>
    Math.max(1, Math.min(mostCredits(sizes), groupsOf(device) * sizes.groupPages, share));
  for (let device = 1; device <= sizes.devices; device++)
    initFunction(words, functionBase(arena, device), {
      capacity: portsOf(device) * creditsOf(device),
      queues: portsOf(device),
    });
  for (let thread = 0; thread < cell.threads; thread++) {
    const device = deviceOf(thread, sizes.devices);
    const groupCount = groupsOf(device);
    initEndpointStats(words, places.endpoints + thread * places.endpointWords);
    initPriPort(words, portBaseOf(places, thread), {
      port: thread,
      rid: device,
      credits: creditsOf(device),
      groupFirst: placeOf(thread, sizes.devices) * groupCount,
      groupCount,
      wakeAt: cell.wakeOf(thread),
      announceBase,
      doorbellBase: cell.hardwareDoorbell,
    });
  }
  if (sizes.hostile) initHostile(arena, sizes, cell, announceBase);
}

function initHostile(arena: Arena, sizes: FamilySizes, cell: CellWiring, announceBase: number): void {
  const { words } = arena;
  const places = portPlaces(arena, sizes, true);
  const rid = allDevices(sizes);
  initFunction(words, functionBase(arena, rid), { capacity: HOSTILE_CREDITS });
  initEndpointStats(words, places.endpoints + cell.threads * places.endpointWords);
  initPriPort(words, portBaseOf(places, cell.threads), {
    port: cell.threads,
    rid,
    credits: HOSTILE_PORT_CREDITS,
    wakeAt: cell.wakeOf(cell.threads),
    announceBase,
    doorbellBase: cell.hardwareDoorbell,
  });
}

/** Number of a thread's queue among its function's. */
function placeOf(thread: number, devices: number): number {
  return Math.floor(thread / devices);
}

function functionBase(arena: Arena, device: number): number {
  return arena.base(FUNCTIONS_REGION) + (device - 1) * functionWords();
}

/** The capabilities of a device, as its driver switches them. */
export function capabilitiesOf(arena: Arena, device: number): { pri: PriCapability; ats: AtsCapability } {
  const at = functionBase(arena, device);
  // Nobody resets a function here, so there is nobody to wake.
  return { pri: new PriCapability(arena.words, at, []), ats: new AtsCapability(arena.words, at) };
}

export const openEndpoint: OpenFaultPort = (words, places, { thread, pagesPerJob, groupPages, clock }) => {
  const endpoint = new Endpoint(words, {
    portAt: portBaseOf(places, thread),
    functionAt: places.functions + (thread % places.devices) * places.functionWords,
    place: placeOf(thread, places.devices),
    statsAt: places.endpoints + thread * places.endpointWords,
    clock,
    groupPages,
    interleave: PRG_INDICES,
    atcEntries: 2 ** Math.ceil(Math.log2(ATC_ENTRIES_PER_PAGE * pagesPerJob + 4)),
  });
  return {
    port: endpoint.openQueue(PASID, pagesPerJob),
    endpoint,
    cached: (memory, agent) => new EndpointMemory(words, endpoint, agent, PASID, memory),
  };
};
