// Threads at two event queues: device 1's lives, device 2's is ended and made anew all the time.
import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import { COMMANDS, type Command, Context, callCommand } from '../context/index.ts';
import { unbindDevice } from '../device/index.ts';
import { EventFile } from '../files/event-file.ts';
import { VEVENTQ_BODY } from '../objects/index.ts';
import { MOCK_VEVENTQ_TYPE, triggerMockEvent } from '../testing/mock/index.ts';
import { openMockLab } from '../testing/mock-lab.ts';
import { DESTROY, OBJ_VEVENTQ, VEVENT_HEADER, VEVENTQ_ALLOC, VEVENTQ_FLAG_LOST_EVENTS } from '../uapi/index.ts';
import type { Report, Task } from './veventq.test-task.ts';

const EVENT_WORDS = VEVENT_HEADER.bytes / 4 + 1;

const task = workerData as Task;
const lab = openMockLab(task.shared, { id: task.id, spins: 0 });
const { machine, driver } = lab;
const { words } = machine;
const context = new Context(machine, task.context);
const caller = lab.caller(1);
const report: Report = { reported: 0, unheard: 0, seen: [], lost: [], failed: 0, made: 0 };

/** Reports as fast as it can; of the second device only where a queue is. */
function reporter(device: number): void {
  for (let i = 0; i < task.rounds; i++) {
    try {
      triggerMockEvent(machine, driver, device);
      report.reported++;
    } catch (error) {
      if (!(error instanceof IommuError) || error.code !== 'EOPNOTSUPP' || device === 1) throw error;
      report.unheard++;
    }
  }
}

/** Reads until all is reported and nothing waits; every 8th read is of a buffer that ends within its first or second event. */
function reader(): void {
  const file = new EventFile(machine, task.body);
  const end = task.buffer + BigInt(PAGE_BYTES);
  for (let turn = 0; ; turn++) {
    const isLast = Atomics.load(task.signs, 0) === 1;
    const room = (1 + (turn % 7)) * 4 * EVENT_WORDS;
    const isShort = turn % 8 === 7;
    if (isShort) file.wait(5); // for something that can fail
    const address = isShort ? end - BigInt(turn % 16 === 7 ? VEVENT_HEADER.bytes : 6 * EVENT_WORDS) : task.buffer;
    const bytes = readSome(file, address, room);
    take(address, bytes);
    if (bytes > 0) continue;
    if (isLast && file.poll() === 0) return;
    file.wait(5);
  }
}

function readSome(file: EventFile, address: bigint, room: number): number {
  try {
    return file.read(caller.memory, address, room);
  } catch (error) {
    if (!(error instanceof IommuError) || error.code !== 'EFAULT') throw error;
    report.failed++;
    return 0;
  }
}

function take(address: bigint, count: number): void {
  const bytes = new Uint8Array(count);
  caller.memory.read(address, bytes);
  const records = new Uint32Array(bytes.buffer);
  for (let at = 0; at < records.length; ) {
    const isLost = records[at] === VEVENTQ_FLAG_LOST_EVENTS;
    (isLost ? report.lost : report.seen).push(records[at + 1]);
    if (!isLost && records[at + 2] !== task.virtId) throw new Error(`payload ${records[at + 2]}`);
    at += isLost ? VEVENT_HEADER.bytes / 4 : EVENT_WORDS;
  }
}

/** Makes a queue of the second vIOMMU, lets it fill, and ends it: by DESTROY, once its file is closed. */
function destroyer(): void {
  const alloc = COMMANDS.find(({ struct }) => struct === VEVENTQ_ALLOC) as Command<typeof VEVENTQ_ALLOC>;
  const destroy = COMMANDS.find(({ struct }) => struct === DESTROY) as Command<typeof DESTROY>;
  do {
    const args = { viommuId: task.viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth: 4 };
    const { outVeventqId: id, outVeventqFd: fd } = callCommand(context, caller, alloc, args);
    const object = context.objects.get('test', 'veventq_id', id, OBJ_VEVENTQ);
    const file = new EventFile(machine, words[context.objects.at(object) + VEVENTQ_BODY]);
    context.objects.put(object);
    let last = -1;
    for (let turns = 0; turns < 4; turns++) {
      file.wait(1);
      for (let event = file.next(); event !== undefined; event = file.next()) {
        if (event.sequence <= last) throw new Error(`${event.sequence} after ${last}`);
        last = event.sequence;
      }
    }
    caller.files.close(fd);
    callCommand(context, caller, destroy, { id });
    report.made++;
  } while (Atomics.load(task.signs, 0) === 0);
}

/** So that they run at the same time. */
function startTogether(): void {
  if (Atomics.add(task.signs, 1, 1) + 1 === task.threads) Atomics.notify(task.signs, 1);
  for (let seen = Atomics.load(task.signs, 1); seen < task.threads; seen = Atomics.load(task.signs, 1))
    Atomics.wait(task.signs, 1, seen);
}

startTogether();
if (task.role === 'reporter') reporter(task.device);
else if (task.role === 'reader') reader();
else if (task.role === 'destroyer') destroyer();
else unbindDevice(context, task.devId);
parentPort?.postMessage(report);
