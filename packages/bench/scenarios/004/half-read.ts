// A user's buffer ends in the middle of a group, and another thread of the user answers the cookie as soon as the first record shows it.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { answerOutcome } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { CookieTable, Delivery, type FaultFile, type FaultQueue, PGFAULT } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const GRPID = 7;
const BYTES = 2 * PGFAULT.bytes;
const EARLY = 'the cookie is good before its group is out';
const machine = new IommuSystem({ devices: 1, threads: 2 });

/** One thread of the user, with its own end of the file. */
class User {
  readonly me: IommuThread;
  readonly file: FaultFile;
  readonly queue: FaultQueue;

  constructor(me: IommuThread) {
    this.me = me;
    this.file = me.file();
    this.queue = me.queue();
  }

  /** As shipped. */
  read(): string {
    this.me.user.writable = 1;
    return refusalOf(() => this.file.read(this.me.user, 0n, BYTES));
  }

  /** As one would write it first: the group's cookie is stored, shown, and taken back when the copy fails. */
  readEarly(): string {
    const { system, words } = this.me.machine;
    const base = this.me.machine.faultQueueAt(0);
    const delivery = new Delivery(system, base);
    const cookies = new CookieTable(words, base);
    delivery.lock();
    const group = delivery.head();
    const cookie = cookies.reserve(group);
    cookies.publish(cookie, group);
    this.me.user.showFirst(cookie);
    cookies.redeem(cookie); // the second record cannot be written
    delivery.unlock();
    return 'EFAULT';
  }

  answer(record: number): string {
    const cookie = this.me.user.cookie(record);
    if (cookie === 0) return '';
    return this.me.machine.answering(() => refusalOf(() => this.queue.respond(cookie, RESPONSE_SUCCESS)));
  }
}

export const halfRead: Scenario = scenario(import.meta.url, {
  name: '004/half-read',
  about:
    'A read fails behind the first record of a group, which the user answers as soon as it is there: whose is the group?',
  seed: '004',
  source: 'iommufd/src/files/fault-file.ts, read(); iommufd/src/fault-queue/cookie-table.ts, reserve()',
  designs: { [EARLY]: 'fails', 'the cookie is good once its group is out': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup((first) => {
    makeAttached(first);
    first.fault({ grpid: GRPID, last: false });
    first.fault({ grpid: GRPID });
  }),
  threads: {
    reader: {
      open: (context) => new User(machine.open(context)),
      run({ design }, own: User) {
        const code = design === EARLY ? own.readEarly() : own.read();
        if (code !== 'EFAULT') throw new Error(`the read failed with ${code || 'nothing'}`);
      },
    },
    answerer: {
      open: (context) => new User(machine.open(context)),
      run(_context, own: User) {
        own.answer(0);
      },
    },
  },
  // The group waits as before: it is read whole, and answered.
  check(context) {
    const own = new User(machine.at(context));
    const bytes = own.file.read(own.me.user, 0n, BYTES);
    if (bytes !== BYTES) throw new Error(`the next read gives ${bytes} bytes`);
    const refusal = own.answer(1);
    if (refusal !== '') throw new Error(`its cookie is refused: ${refusal}`);
    machine.expectSettled(context);
    return answerOutcome(context, 1, GRPID);
  },
  outcomes: { 'answered Success': 'acceptable' },
});
