// What reports call the words of a fault system: `iopf.requests.2.STATE` rather than a number.
import {
  DEVICE_ATTACH_LOCK,
  DEVICE_GROUP_MUTEX,
  DEVICE_PARAM,
  DEVICE_PARAM_LOCK,
  DEVICE_WORDS,
  DOMAIN_ATTACHED,
  DOMAIN_HANDLER,
  DOMAIN_MM,
  DOMAIN_STATE,
  DOMAIN_WORDS,
  FAULT_DEVICE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  GROUP_COUNT,
  GROUP_FAULTS,
  GROUP_STATE,
  HANDLE_DEVICE,
  HANDLE_DOMAIN,
  HANDLE_PASID,
  type IopfConfig,
  type IopfSystem,
  LIST_NEXT,
  LIST_PREV,
  PARAM_DEVICE,
  PARAM_HEAD,
  PARAM_LENGTH,
  PARAM_LOCK,
  PARAM_PARTIAL,
  PARAM_PARTIALS,
  PARAM_TAIL,
  PARAM_USERS,
  REQUEST_CHAIN,
} from '@faultline/core/iopf';
import { layoutOffset, type Slab, slabLayout } from '@faultline/core/memory';
import { counterBankLayout, rcuLayout } from '@faultline/core/sync';

export type Names = Readonly<Record<string, number>>;

const MARK = 0x5eed;
const RECORD = { META: 0, FREED_BY: 1, LINK: 2, NEXT_CHAIN: 3 };
const DEVICE = {
  PARAM: DEVICE_PARAM,
  PARAM_LOCK: DEVICE_PARAM_LOCK,
  ATTACH_LOCK: DEVICE_ATTACH_LOCK,
  GROUP_MUTEX: DEVICE_GROUP_MUTEX,
};
const DOMAIN = { STATE: DOMAIN_STATE, HANDLER: DOMAIN_HANDLER, MM: DOMAIN_MM, ATTACHED: DOMAIN_ATTACHED };
const PARAM = {
  DEVICE: PARAM_DEVICE,
  LOCK: PARAM_LOCK,
  PARTIAL: PARAM_PARTIAL,
  PARTIALS: PARAM_PARTIALS,
  HEAD: PARAM_HEAD,
  TAIL: PARAM_TAIL,
  LENGTH: PARAM_LENGTH,
  USERS: PARAM_USERS,
};
const HANDLE = { DOMAIN: HANDLE_DOMAIN, DEVICE: HANDLE_DEVICE, PASID: HANDLE_PASID };
const REQUEST = {
  DEVICE: FAULT_DEVICE,
  FLAGS: FAULT_FLAGS,
  PASID: FAULT_PASID,
  GRPID: FAULT_GRPID,
  PERM: FAULT_PERM,
  PAGE_LO: FAULT_PAGE_LO,
  PAGE_HI: FAULT_PAGE_HI,
  TOKEN: FAULT_TOKEN,
  STATE: GROUP_STATE,
  FAULTS: GROUP_FAULTS,
  COUNT: GROUP_COUNT,
  NEXT: LIST_NEXT,
  PREV: LIST_PREV,
  CHAIN: REQUEST_CHAIN,
};

/** Names of the words of objects `first` to `last`, each `stride` words from the one before. */
export function objectNames(names: Names, first: number, last: number, at: number, stride: number): Names {
  const all: Record<string, number> = {};
  for (let index = first; index <= last; index++)
    for (const [name, offset] of Object.entries(names))
      all[`${index}.${name}`] = at + (index - first) * stride + offset;
  return all;
}

function slabNames(slab: Slab, object: Names): Names {
  const layout = slabLayout(slab.capacity, slab.objectWords);
  const recordWords = Object.keys(RECORD).length;
  return {
    HEAD: layoutOffset(layout, 'HEAD'),
    FRESH: layoutOffset(layout, 'FRESH'),
    ...objectNames(RECORD, 1, slab.capacity, slab.records - slab.base + recordWords, recordWords),
    ...objectNames(object, 1, slab.capacity, slab.objects - slab.base + slab.objectWords, slab.objectWords),
  };
}

function counterNames(objects: number, { sharing, threads }: IopfConfig, line: number): Names {
  const layout = counterBankLayout(objects, threads);
  const counters = layoutOffset(layout, 'OBJECT_LINES');
  const rows = layout.fields.find((field) => field.name === 'ROWS');
  const names: Record<string, number> = {
    ...objectNames({ COUNT: 0, DRAINING: 1, WAKE: 2 }, 0, objects, counters, line),
  };
  if (sharing === 'split' && rows !== undefined)
    for (let thread = 1; thread <= threads; thread++)
      for (let object = 0; object <= objects; object++)
        names[`${object}.COUNT by ${thread}`] = rows.offset + ((thread - 1) * rows.width) / threads + object;
  return names;
}

/** The slots of "no PASID" in the attach arrays, found by storing to them. */
function attachNames(system: IopfSystem, { devices }: IopfConfig): Names {
  const names: Record<string, number> = {};
  const base = system.arena.base('iopf.attach');
  for (let device = 1; device <= devices; device++) {
    system.attachArray(device).store(0, MARK);
    names[`${device}.HANDLE`] = system.words.indexOf(MARK, base) - base;
    system.attachArray(device).erase(0);
  }
  return names;
}

/** Names for each region that has some, by region. `system` is one of its own, not yet used. */
export function systemNames(system: IopfSystem, config: IopfConfig): Readonly<Record<string, Names>> {
  const rcu = rcuLayout(config.threads);
  const readers = layoutOffset(rcu, 'READERS');
  const line = readers - layoutOffset(rcu, 'WAITERS');
  return {
    'iopf.devices': objectNames(DEVICE, 1, config.devices, DEVICE_WORDS, DEVICE_WORDS),
    'iopf.domains': objectNames(DOMAIN, 1, config.domains, DOMAIN_WORDS, DOMAIN_WORDS),
    'iopf.params': slabNames(system.params, PARAM),
    'iopf.handles': slabNames(system.handles, HANDLE),
    'iopf.requests': slabNames(system.requests, REQUEST),
    'iopf.attach': attachNames(system, config),
    'iopf.pending': counterNames(config.domains + 1, config, line),
    'iopf.references': counterNames(system.params.capacity + 1, config, line),
    'iopf.work': { PROD: line, CONS: 2 * line, PARKED: 3 * line, 'SLOT 1': 4 * line, 'SLOT 2': 4 * line + 1 },
    'actor.rcu': {
      ASKED: layoutOffset(rcu, 'ASKED'),
      DONE: layoutOffset(rcu, 'DONE'),
      WAITERS: layoutOffset(rcu, 'WAITERS'),
      ...objectNames({ READER: 0 }, 1, config.threads, readers, line),
    },
  };
}
