// A machine whose devices are behind an AMD IOMMU, all on one thread: whoever waits for hardware runs it.
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { Arena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, type Words } from '@faultline/core/sync';
import {
  AmdEventPump,
  AmdHardware,
  AmdOps,
  amdAnnounceBase,
  amdLayout,
  COMMAND_WORDS,
  type DecodedRecord,
  decodeCommand,
  decodeDte,
  deviceEntryAt,
  gcr3Page,
} from '@faultline/hw/amd';
import { poolMemory, RootWalker } from '@faultline/hw/page-table';
import {
  Endpoint,
  type EndpointQueue,
  endpointStatWords,
  functionWords,
  initEndpointStats,
  initFunction,
  initPriPort,
  priPortWords,
} from '@faultline/hw/pcie';
import { STALL_ABORT } from '@faultline/hw/smmu-v3';
import { Iommufd, iommufdConfig } from '@faultline/iommufd';
import { createLab, type Lab, openLab } from '@faultline/iommufd/testing';
import { formatOf } from './formats.ts';
import {
  AMD_UNIT_REGION,
  AmdIommufdDriver,
  type AmdIommufdDriverConfig,
  amdDriverRegions,
  initAmdDriver,
} from './index.ts';
import { CODE_GUEST, CODE_HOST } from './layout.ts';

export const DEVICE = 1;
export const RID = 8;
/** Without ATS and PRI. */
export const PLAIN_DEVICE = 2;
export const PLAIN_RID = 9;
const CREDITS = 32;
const PAGE = 4096;
const SLOTS = 512;
export const BLOCKED = -10;

export interface AmdLab extends Lab {
  readonly driver: AmdIommufdDriver;
  readonly ops: AmdOps;
  readonly iommufd: Iommufd;
  /** Commands that the IOMMU has carried out since it was last asked. */
  commands(): DecodedRecord[];
  /** Where an access goes by the device's table entry, in pages; below 0: nowhere. */
  translate(rid: number, pasid: number, page: number, write: boolean): number;
  /** Bytes to a device's address; a step ends where it waits for a page. */
  write(pasid: number, address: number, from: Uint8Array): Generator<undefined, boolean>;
}

export function makeAmdLab(): AmdLab {
  const config = iommufdConfig({ devices: 4, domains: 16, threads: 2 });
  const unit = {
    ...{ pprEntries: 256, eventEntries: 256, commandEntries: 256 },
    ...{ devices: 16, ports: 1, gcr3Tables: 2 },
  };
  const sizes = { ...config, tables: 64, unit, attachments: 16 };
  const bells = ['irq', 'hardware', 'wake'];
  const shared = createLab({ ...config, frames: 256, window: 256 }, [
    ...amdDriverRegions(sizes),
    ...bells.map((name) => ({ name, words: doorbellWords() })),
    { name: 'function', words: functionWords() },
    { name: 'stats', words: endpointStatWords() },
    { name: 'port', words: priPortWords(CREDITS) },
  ]);
  const arena = Arena.open(shared.arena);
  const { words } = arena;
  initAmdDriver(arena, sizes);
  for (const bell of bells) initDoorbell(words, arena.base(bell));
  const [irq, hardwareDoorbell] = bells.map((bell) => new Doorbell(words, arena.base(bell)));
  const base = arena.base(AMD_UNIT_REGION);
  const [portAt, functionAt, statsAt] = ['port', 'function', 'stats'].map((name) => arena.base(name));
  initFunction(words, functionAt, { capacity: CREDITS });
  initEndpointStats(words, statsAt);
  initPriPort(words, portAt, {
    ...{ port: 0, rid: RID, credits: CREDITS, wakeAt: arena.base('wake') },
    ...{ announceBase: amdAnnounceBase(words, base), doorbellBase: arena.base('hardware') },
  });
  const hardware = new AmdHardware(words, base, { ports: [portAt], irq, clock: () => 0 });
  const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, clock: () => 0 });
  const self = { id: 1, spins: 0 };
  const ops = new AmdOps(words, base, { self, hardwareDoorbell, timeoutMs: 2000 });
  const consumed = commandsOf(words, base, unit.commandEntries);
  let commands: DecodedRecord[] = [];
  const turn = (): number => {
    const moved = hardware.pump(64) + endpoint.pump();
    commands.push(...consumed());
    return moved + lab.machine.answering(() => pump.pump(64));
  };
  const driverConfig: AmdIommufdDriverConfig = {
    ...{ self, ops, between: () => void turn() },
    control: { hardwareDoorbell, timeoutMs: 2000 },
  };
  const driver = new AmdIommufdDriver(arena, driverConfig);
  const lab = openLab(shared, () => ({ driver, ops }), self);
  const pump = new AmdEventPump(words, base, { reporter: lab.machine.path, ops, clock: () => 0 });
  driver.enable();
  driver.addDevice({ device: DEVICE, rid: RID, pasidsLog2: 9, functionAt });
  driver.addDevice({ device: PLAIN_DEVICE, rid: PLAIN_RID });
  const tables = poolMemory(driver.domains.pool.entries, SLOTS);
  const host = new RootWalker(formatOf(CODE_HOST), tables);
  const guest = new RootWalker(formatOf(CODE_GUEST), tables);
  const translate = (rid: number, pasid: number, page: number, write: boolean): number => {
    const dte = decodeDte(words, deviceEntryAt(words, base, rid));
    if (dte.tv === 0 || (pasid > 0 && dte.gv === 0)) return BLOCKED;
    if (pasid === 0 && dte.giov === 0) return host.walk(dte.rootLo / PAGE + dte.rootHi * 2 ** 20, page, write, true);
    const at = gcr3Page(dte) * 1024 + pasid * 2;
    if ((words[at] & 1) === 0) return BLOCKED;
    return guest.walk((words[at] >>> 12) + words[at + 1] * 2 ** 20, page, write, true);
  };
  function* ask(queue: EndpointQueue, page: number): Generator<undefined, boolean> {
    const slot = queue.post(page | 0, Math.floor(page / 2 ** 32), FAULT_PERM_READ | FAULT_PERM_WRITE, 0);
    queue.publish();
    while (!queue.isDone()) if (turn() === 0) yield;
    const result = queue.result(slot);
    queue.reset();
    return result !== STALL_ABORT;
  }
  return {
    ...lab,
    ...{ driver, ops, translate },
    commands() {
      const seen = commands;
      commands = [];
      return seen;
    },
    iommufd: Iommufd.open(lab.machine, lab.caller(1)),
    *write(pasid, address, from) {
      const queue = endpoint.openQueue(pasid === 0 ? -1 : pasid, 16);
      for (let done = 0; done < from.length; ) {
        const at = address + done;
        const end = Math.min(from.length, done + PAGE - (at % PAGE));
        const frame = translate(RID, pasid, Math.floor(at / PAGE), true);
        if (frame >= 0) {
          lab.ram.bytes.set(from.subarray(done, end), frame * PAGE + (at % PAGE));
          done = end;
        } else if (!(yield* ask(queue, Math.floor(at / PAGE)))) return false;
      }
      return true;
    },
  };
}

/** Follows HEAD through the command buffer. @returns what lists the commands that it has passed since the last time. */
function commandsOf(words: Words, base: number, entries: number): () => DecodedRecord[] {
  const place = (name: string): number => base + (amdLayout.fields.find((field) => field.name === name)?.offset ?? 0);
  const buffer = place('REGISTERS') + 2; // the register behind the device table's
  const bytes = COMMAND_WORDS * 4;
  let head = 0;
  return () => {
    const ring = ((words[buffer] >>> 12) | (words[buffer + 1] << 20)) * 1024;
    const passed: DecodedRecord[] = [];
    for (const end = words[place('CMD_HEAD')]; head !== end; head = (head + bytes) % (entries * bytes))
      passed.push(decodeCommand(words, ring + head / 4));
    return passed;
  };
}
