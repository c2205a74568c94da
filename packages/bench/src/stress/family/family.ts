// What the engine needs of an IOMMU family: five small parts, one for each kind of thread that uses it, so that a worker's bundle holds
// its own part alone. Each worker picks one family as it starts and keeps it for the run: calls into it have one target.
import type { FaultPath, FaultReporter, IommuOps } from '@faultline/core/iopf';
import type { Arena, RegionSpec } from '@faultline/core/memory';
import type { Clock, Doorbell, ThreadSelf, Words } from '@faultline/core/sync';
import type { DeviceMemory, DevicePort } from '@faultline/hw/accelerator';
import type { Notifier } from '@faultline/hw/mm';
import type { TranslationAgent } from '@faultline/hw/pcie';

/** The process whose memory the devices share. */
export const PASID = 1;
/** Region of the IOMMU's own words, of its fault ports, and of what PCIe endpoints have besides. */
export const IOMMU_REGION = 'iommu';
export const PORTS_REGION = 'ports';
export const FUNCTIONS_REGION = 'functions';
export const ENDPOINTS_REGION = 'endpoints';
/** Devices whose caches are invalidated with one wait: what a thread's batch has room for. */
export const DEVICES_PER_BATCH = 30;

/** What a run's shared words are laid out for. */
export interface FamilySizes {
  /** Devices, from 1; each has one requester id or StreamID of the same number. */
  readonly devices: number;
  /** Device threads of the largest cell. Threads are dealt out to the devices in turn. */
  readonly threads: number;
  readonly pagesPerJob: number;
  /** Pages of a page request group, at most. */
  readonly groupPages: number;
  /** Whether a device that misbehaves sits beside the others: the last one, with the last port. */
  readonly hostile: boolean;
  /** Entries that the queue of answers and invalidations needs, so that nobody ever waits for room; 0: people may. */
  readonly commands: number;
  /** Records of the queue that faults come in by. */
  readonly queueEntries: number;
  readonly stallMax: number;
  /** Threads that issue commands, numbered from 0; 0 is the interrupt's. */
  readonly issuers: number;
}

/** How one cell is wired. */
export interface CellWiring {
  /** Device threads of this cell. */
  readonly threads: number;
  /** Doorbell that device thread `thread` sleeps on. */
  readonly wakeOf: (thread: number) => number;
  readonly hardwareDoorbell: number;
}

export interface FamilyStats {
  /** Times that the queue was found full. */
  readonly overflows: number;
  /** Faults that the hardware answered with a retry by itself, as the queue was full: the core never saw them. */
  readonly automatic: number;
}

/** Where a queue's actor runs: with the hardware that consumes commands, or with the interrupt that takes records. */
export interface QueuePlace {
  readonly name: string;
  readonly host: 'hardware' | 'interrupt';
}

/** Shared words: the main thread's part. */
export interface FamilyLayout {
  /** The hardware's queues, an actor each, in the order in which they are enabled. They are disabled from the second on, the first last:
   * it is the one that takes commands, on the hardware's host. */
  readonly queues: readonly [QueuePlace, ...QueuePlace[]];
  /** Whether device threads have an endpoint that is to be served until the devices are off. */
  readonly hasEndpoints: boolean;
  regions(sizes: FamilySizes): RegionSpec[];
  /** Lays everything out anew for a cell. No other thread is in it. */
  init(arena: Arena, sizes: FamilySizes, cell: CellWiring): void;
  readStats(arena: Arena): FamilyStats;
}

/** The hardware, or the end of its queue in the interrupt's thread. */
export interface Pump {
  /** @returns what was dealt with. */
  pump(budget: number): number;
  needsWork(): boolean;
}

/** The hardware thread's part. @param ports base of each fault port of the cell. */
export type OpenHardware = (
  arena: Arena,
  parts: { readonly ports: readonly number[]; readonly irq: Doorbell; readonly clock: Clock },
) => Pump;

/** The endpoints of a thread that must go on while it waits for an invalidation: it may be waiting for its own. */
export interface Served {
  /** @returns records taken and sent. */
  pump(): number;
  hasWork(): boolean;
}

/** The caches of devices, for a thread that unmaps. */
export interface DeviceCaches {
  /** The devices, from 1 to this. */
  readonly devices: number;
  readonly own: Served;
  /** What {@link own} is woken by. */
  readonly wake: Doorbell;
}

/** What a thread answers and invalidates with. */
export interface Issuer {
  readonly ops: IommuOps;
  /** What unmapping costs: an invalidation of the range, and a wait until the hardware has done it. */
  readonly notifier: Notifier;
}
/** The part of each thread that issues commands. @param issuer its number among them. @param caches what unmapping invalidates besides. */
export type OpenIssuer = (
  arena: Arena,
  parts: {
    readonly issuer: number;
    readonly self: ThreadSelf;
    readonly hardwareDoorbell: Doorbell;
    readonly caches?: DeviceCaches | undefined;
  },
) => Issuer;

/** What a driver's pump needs of the core. */
export type Reporter = FaultReporter & Pick<FaultPath, 'discardPartial'>;

/** The interrupt thread's part. The fault path needs its `ops`, and the rest needs the fault path. */
export interface Interrupt {
  readonly ops: IommuOps;
  control(path: Reporter): Control;
}
export type OpenInterrupt = (
  arena: Arena,
  parts: {
    readonly self: ThreadSelf;
    readonly hardwareDoorbell: Doorbell;
    readonly clock: Clock;
    readonly devices: readonly number[];
    /** The one of them that misbehaves, 0: none. It is reset when PRI goes off at it with requests outstanding. */
    readonly hostile: number;
    /** Called for each answer that the driver gives without the core. Only where someone misbehaves. */
    readonly onOwnAnswer: (() => void) | undefined;
    /** Issuer number that nobody has, for a driver beside the pump. */
    readonly spareIssuer: number;
  },
) => Interrupt;

/** One of the hardware's queues, as its actor needs it. Words are read plainly: some recent count is good enough. */
export interface QueueControl {
  /** Takes what the hardware wrote. Two queues may have one pump. */
  readonly pump: Pump;
  /** The hardware writes to it from here on. */
  enable(): Promise<void>;
  /** Times that the hardware found it full. */
  overflows(): number;
  /** Whether it was found full, and the pump has not acknowledged that: until then the hardware may write nothing. */
  isOverflowed(): boolean;
  /** The queue takes no more; what it holds is left to the pump. */
  disable(): Promise<void>;
}

/** The steps that actors ask of the driver. Several may be under way at once. */
export interface Control {
  /** By name, those of {@link FamilyLayout.queues} that are on the interrupt's host. */
  readonly queues: Readonly<Record<string, QueueControl>>;
  /** Lets the device fault. */
  attach(device: number): Promise<void>;
  /** Attaches the domain at one more PASID, 0: for requests without one. Where devices are told PASIDs as they go. */
  attachPasid?(device: number, pasid: number): Promise<void>;
  /** From here on what faults is terminated, not reported. */
  blockDevice(device: number): Promise<void>;
  /** Everything that the hardware recorded of the device before has been reported. */
  fenceEvents(device: number): Promise<void>;
  /** The hardware has taken every answer that was published before. */
  fenceResponses(device: number): Promise<void>;
  /** Takes the device from its driver. */
  disablePri(device: number): Promise<void>;
  /** Nothing that the devices have cached is used any more. Only where they keep translations. */
  invalidateCaches(devices: readonly number[]): Promise<void>;
}

/** Where device threads find their ports: word offsets, worked out once by the main thread. */
export interface PortPlaces {
  readonly devices: number;
  readonly ports: number;
  readonly portWords: number;
  /** 0 without endpoints. */
  readonly functions: number;
  readonly functionWords: number;
  readonly endpoints: number;
  readonly endpointWords: number;
}

/** A device thread's way to the IOMMU. */
export interface FaultPort {
  readonly port: DevicePort;
  /** Undefined where the hardware does without. */
  readonly endpoint: Served | undefined;
  /** The process's memory as the device sees it through the translations that it keeps. Only with an endpoint. */
  cached?(memory: Pick<DeviceMemory, 'discard'>, agent: TranslationAgent): DeviceMemory;
}
export type OpenFaultPort = (
  words: Words,
  places: PortPlaces,
  parts: { readonly thread: number; readonly pagesPerJob: number; readonly groupPages: number; readonly clock: Clock },
) => FaultPort;

/** Device of a thread, from 1. */
export function deviceOf(thread: number, devices: number): number {
  return (thread % devices) + 1;
}

export function portBaseOf(places: PortPlaces, thread: number): number {
  return places.ports + thread * places.portWords;
}

/** Devices of a run, the one that misbehaves included. */
export function allDevices(sizes: FamilySizes): number {
  return sizes.devices + (sizes.hostile ? 1 : 0);
}

/** Ports of the largest cell, likewise. */
export function allPorts(sizes: FamilySizes): number {
  return sizes.threads + (sizes.hostile ? 1 : 0);
}

/** Where a plan's ports are. */
export function portPlaces(arena: Arena, sizes: FamilySizes, hasEndpoints: boolean): PortPlaces {
  const part = (region: string, count: number): [number, number] =>
    hasEndpoints ? [arena.base(region), arena.sizeWords(region) / count] : [0, 0];
  const [functions, functionWords] = part(FUNCTIONS_REGION, allDevices(sizes));
  const [endpoints, endpointWords] = part(ENDPOINTS_REGION, allPorts(sizes));
  return {
    devices: sizes.devices,
    ports: arena.base(PORTS_REGION),
    portWords: arena.sizeWords(PORTS_REGION) / allPorts(sizes),
    functions,
    functionWords,
    endpoints,
    endpointWords,
  };
}
