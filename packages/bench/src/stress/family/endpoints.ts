// What the families that are reached through PCIe share: a function a device, a queue of it a device thread, each with a PRI port.
// An access is a page request group of its own, as a stall is, so that figures of all families count the same. The device threads walk
// the address space themselves, as they do with stalls: endpoints keep no translations, so unmapping has none of theirs to invalidate.
import type { Arena, RegionSpec } from '@faultline/core/memory';
import {
  AtsCapability,
  Endpoint,
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

export function endpointRegions(sizes: FamilySizes): RegionSpec[] {
  return [
    { name: PORTS_REGION, words: sizes.threads * priPortWords(mostCredits(sizes)) },
    { name: FUNCTIONS_REGION, words: sizes.devices * functionWords() },
    { name: ENDPOINTS_REGION, words: sizes.threads * endpointStatWords() },
  ];
}

function mostCredits(sizes: FamilySizes): number {
  return Math.min(sizes.pagesPerJob, PRG_INDICES);
}

/** Lays out functions and ports for the cell's threads.
 * Each queue of a function has an equal part of its 512 group indices, and of the records that the IOMMU's queue has room for. */
export function initEndpoints(arena: Arena, sizes: FamilySizes, cell: CellWiring, announceBase: number): void {
  const { words } = arena;
  const places = portPlaces(arena, sizes, true);
  const share = Math.floor((sizes.queueEntries - 1) / cell.threads);
  const portsOf = (device: number): number => Math.ceil((cell.threads - device + 1) / sizes.devices);
  const groupsOf = (device: number): number => Math.floor(PRG_INDICES / portsOf(device));
  const creditsOf = (device: number): number => Math.max(1, Math.min(mostCredits(sizes), groupsOf(device), share));
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

export const openEndpoint: OpenFaultPort = (words, places, { thread, pagesPerJob, clock }) => {
  const endpoint = new Endpoint(words, {
    portAt: portBaseOf(places, thread),
    functionAt: places.functions + (thread % places.devices) * places.functionWords,
    place: placeOf(thread, places.devices),
    statsAt: places.endpoints + thread * places.endpointWords,
    clock,
    interleave: PRG_INDICES,
  });
  return { port: endpoint.openQueue(PASID, pagesPerJob), endpoint };
};
