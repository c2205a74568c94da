// One thread of virtual.threads.test.ts: does its part until it is done or told to stop, and posts what it counted and what was wrong.
import { parentPort, workerData } from 'node:worker_threads';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { VirtualEventRouter } from './event-router.ts';
import { convertGuestCommand } from './guest-commands.ts';
import { MASTER_GROUP, MASTER_SID, VirtualArea, VSMMU_USERS } from './layout.ts';
import { SidMatch } from './sid-match.ts';
import { Vdevices } from './vdevices.ts';
import { COMMAND, ENTRY, FORWARDED, nameIn, type Outcome, type Part, RECORD, STOP } from './virtual.test-help.ts';
import { VStreams } from './vstream.ts';

const DEVICE = 0;
const EBUSY = -16;
const ENOENT = -2;

const part = workerData as Part;
const { words, spareAt } = part;
const self = { id: part.id, spins: 50 };
const area = new VirtualArea(words, part.base);
const vdevices = new Vdevices(area, self);
const stopped = (): boolean => Atomics.load(words, spareAt + STOP) !== 0;
const outcome = { role: part.role, done: 0, refused: 0, wrong: [] as string[] };

/** Attaches each guest's domain as often as told, as far as its vdevice is there; each time an event reaches the guest. */
function attach(): void {
  const streams = new VStreams(area, self, vdevices);
  const group = words[area.masterAt('attach', DEVICE) + MASTER_GROUP];
  const install = (vsmmu: number): void => {
    Atomics.store(words, spareAt + ENTRY, vsmmu);
    Atomics.notify(words, spareAt + ENTRY);
  };
  const to = (vsmmu: number): number => {
    mutexLock(words, group, self);
    const result = streams.attach(DEVICE, vsmmu, () => install(vsmmu)); // domain n is of vSMMU n
    mutexUnlock(words, group, self);
    return result;
  };
  for (let vsmmu = 1; outcome.done < part.rounds; vsmmu = 3 - vsmmu) {
    const result = to(vsmmu);
    if (result === ENOENT) outcome.refused++;
    else if (result !== 0) outcome.wrong.push(`attach said ${result}`);
    else {
      outcome.done++;
      const seen = Atomics.load(words, spareAt + FORWARDED);
      if (Atomics.wait(words, spareAt + FORWARDED, seen, 20_000) === 'timed-out')
        outcome.wrong.push('no event reached the guest');
      to(0);
    }
  }
}

/** Gives the device to one guest after the other. */
function moveVdevice(): void {
  for (let vsmmu = 1; !stopped(); vsmmu = 3 - vsmmu) {
    const made = vdevices.alloc(vsmmu, DEVICE, nameIn(vsmmu));
    if (made !== 0) outcome.wrong.push(`alloc said ${made}`);
    for (let gone = vdevices.destroy(DEVICE); gone !== 0; gone = vdevices.destroy(DEVICE)) {
      if (gone !== EBUSY) outcome.wrong.push(`destroy said ${gone}`);
      outcome.refused++;
      Atomics.wait(words, spareAt + ENTRY, vsmmu, 20_000); // until the guest has lost it
    }
    outcome.done++;
  }
}

function interrupt(): void {
  const router = new VirtualEventRouter(
    area,
    self,
    {
      reportEvent(vsmmu, at) {
        const entry = Atomics.load(words, spareAt + ENTRY);
        if (entry !== vsmmu) outcome.wrong.push(`guest ${vsmmu} is told what happened under ${entry}`);
        if (words[at + 1] !== nameIn(vsmmu)) outcome.wrong.push(`guest ${vsmmu} is told of ${words[at + 1]}`);
        if (Atomics.load(words, area.vsmmuAt('interrupt', vsmmu) + VSMMU_USERS) < 2)
          outcome.wrong.push(`vSMMU ${vsmmu} has no user`);
        return 0;
      },
    },
    spareAt + RECORD + 8,
  );
  words[spareAt + RECORD] = 0x10;
  while (!stopped()) {
    if (router.route(DEVICE, spareAt + RECORD) !== 0) continue;
    Atomics.add(words, spareAt + FORWARDED, 1);
    Atomics.notify(words, spareAt + FORWARDED);
  }
  const { forwarded, kept, refused } = router.counts();
  Object.assign(outcome, { done: forwarded, refused: kept + refused });
}

/** ATC_INV of both guests, by software and by the match table: the device, or nobody. */
function guest(): void {
  const streamId = words[area.masterAt('guest', DEVICE) + MASTER_SID];
  const tables = [1, 2].map((vsmmu) => new SidMatch(area, vsmmu));
  const out = new Int32Array(4);
  for (let vsmmu = 1; !stopped(); vsmmu = 3 - vsmmu) {
    words.set([0x40, nameIn(vsmmu), 0, 0], spareAt + COMMAND);
    const result = convertGuestCommand(area, vdevices, vsmmu, spareAt + COMMAND, out, 0);
    if (result === 0 && out[1] !== streamId) outcome.wrong.push(`converted to ${out[1]}`);
    const table = tables[vsmmu - 1];
    const matched = table.replace(nameIn(vsmmu));
    if (matched && table.streamId !== streamId) outcome.wrong.push(`replaced by ${table.streamId}`);
    if (table.replace(nameIn(3 - vsmmu))) outcome.wrong.push(`vSMMU ${vsmmu} knows the other guest's name`);
    if (result === 0) outcome.done++;
    else outcome.refused++;
  }
}

({ attach, vdevices: moveVdevice, interrupt, guest })[part.role]();
parentPort?.postMessage(outcome satisfies Outcome);
