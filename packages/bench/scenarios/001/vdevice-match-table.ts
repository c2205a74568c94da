import { type Context, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import {
  allocVsmmu,
  initVirtual,
  SidMatch,
  Vdevices,
  VirtualArea,
  type VirtualConfig,
  virtualWords,
} from '@faultline/hw/smmu-v3/virtual';

const ONCE = 'the match looked at once';
const AGAIN = 'the match looked at again';
const GUEST = 1;
const OLD = { device: 0, name: 21, streamId: 5 };
const NEXT = { device: 1, name: 22, streamId: 6 };
const NO_MATCH = 0;
const GROUPS = { name: 'groups', words: 2, fields: { MUTEX: 0, 'OTHER MUTEX': 1 } };
const VIRTUAL = 'virtual';
const MATCH = 2 * 32; // in a vSMMU
const REPLACE = MATCH + 16;

const size = (groups: number): VirtualConfig => ({
  masters: [OLD, NEXT].map(({ streamId, device }) => ({ streamId, groupMutex: groups + device })),
  ...{ domains: 1, vsmmus: 1, idBlocks: 1, queues: 1, sidPairs: 1 },
});

class Table {
  readonly area: VirtualArea;
  readonly vdevices: Vdevices;
  readonly sids: SidMatch;

  constructor(context: ThreadContext) {
    this.area = new VirtualArea(context.words, context.at(VIRTUAL));
    this.vdevices = new Vdevices(this.area, context.self);
    this.sids = new SidMatch(this.area, GUEST);
  }

  /** A look-up that trusts what it saw first. */
  replaceAtOnce(name: number): number {
    const { words } = this.area;
    const at = this.area.vsmmuAt('replaceAtOnce', GUEST);
    return Atomics.load(words, at + MATCH) === ((name << 1) | 1) ? Atomics.load(words, at + REPLACE) : NO_MATCH;
  }
}

function setup({ words, at }: Context): void {
  initVirtual(words, at(VIRTUAL), size(at(GROUPS.name)));
  const area = new VirtualArea(words, at(VIRTUAL));
  allocVsmmu(area, 7);
  new Vdevices(area, { id: 8, spins: 0 }).alloc(GUEST, OLD.device, OLD.name);
}

export const vdeviceMatchTable: Scenario = scenario(import.meta.url, {
  name: '001/vdevice-match-table',
  about: "A guest's command is looked up while its device leaves and another takes the pair of registers: who gets it?",
  seed: '001',
  source: 'seed 001, pSID and vSID of the virtual command queue; hw/src/smmu-v3/virtual/sid-match.ts',
  designs: { [ONCE]: 'fails', [AGAIN]: 'holds' },
  memory: [{ name: VIRTUAL, words: virtualWords(size(1)) }, GROUPS],
  setup,
  threads: {
    host: {
      open: (context) => new Table(context),
      run(_, { vdevices }: Table) {
        vdevices.destroy(OLD.device);
        return vdevices.alloc(GUEST, NEXT.device, NEXT.name);
      },
    },
    hardware: {
      open: (context) => new Table(context),
      run({ design }, table: Table) {
        if (design === ONCE) return table.replaceAtOnce(OLD.name);
        return table.sids.replace(OLD.name) ? table.sids.streamId : NO_MATCH;
      },
    },
  },
  check({ results }) {
    if (results.host !== 0) throw new Error(`the other device has no name: ${results.host}`);
    if (results.hardware === NO_MATCH) return 'no match';
    return results.hardware === OLD.streamId ? 'its own device' : 'another device';
  },
  outcomes: { 'no match': 'acceptable', 'its own device': 'acceptable', 'another device': 'forbidden' },
});

const CLEARED = 'removal clears both registers';
const KEPT = 'removal clears the match alone';

export const vdeviceMatchAgain: Scenario = scenario(import.meta.url, {
  name: '001/vdevice-match-again',
  about:
    'The pair of registers goes from one device to another under the same virtual id: is a half-made pair ever used?',
  seed: '001',
  source: 'seed 001, pSID and vSID of the virtual command queue; hw/src/smmu-v3/virtual/sid-match.ts, removeSidPair()',
  designs: { [CLEARED]: 'fails', [KEPT]: 'holds' },
  memory: [{ name: VIRTUAL, words: virtualWords(size(1)) }, GROUPS],
  setup,
  threads: {
    host: {
      open: (context) => new Table(context),
      run({ design }, { area, vdevices }: Table) {
        if (design === KEPT) {
          vdevices.destroy(OLD.device);
          return vdevices.alloc(GUEST, NEXT.device, OLD.name);
        }
        const at = area.vsmmuAt('run', GUEST);
        Atomics.store(area.words, at + MATCH, 0);
        Atomics.store(area.words, at + REPLACE, 0);
        Atomics.store(area.words, at + REPLACE, NEXT.streamId);
        Atomics.store(area.words, at + MATCH, (OLD.name << 1) | 1);
        return 0;
      },
    },
    hardware: {
      open: (context) => new Table(context),
      run: (_, { sids }: Table) => (sids.replace(OLD.name) ? sids.streamId : -1),
    },
  },
  check({ results }) {
    if (results.host !== 0) throw new Error(`the other device has no name: ${results.host}`);
    if (results.hardware === -1) return 'no match';
    return [OLD.streamId, NEXT.streamId].includes(results.hardware) ? 'one of the two' : 'neither device';
  },
  outcomes: { 'no match': 'acceptable', 'one of the two': 'acceptable', 'neither device': 'forbidden' },
});
