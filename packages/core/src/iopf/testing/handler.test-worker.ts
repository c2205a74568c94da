import { workerData } from 'node:worker_threads';
import { Arena, type SharedArena } from '../../memory/index.ts';
import { type Generation, openFaultPath } from '../generations/index.ts';
import { HandlerThread } from '../handler-thread.ts';
import { IopfSystem } from '../system.ts';
import { WorkSink, WorkSource } from '../work-queue.ts';
import { CountingOps } from './answer-log.ts';

const { shared, generation, id, perDevice } = workerData as {
  shared: SharedArena;
  generation: Generation;
  id: number;
  perDevice: number;
};
const arena = Arena.open(shared);
const self = { id, spins: 0 };
const system = new IopfSystem(arena, self);
const ops = new CountingOps(arena.words, arena.base('test.answers'), perDevice);
const path = openFaultPath(generation, system, ops, new WorkSink(system));
const thread = new HandlerThread({ system, path, ops, work: new WorkSource(system, self, 2, 16), mms: [] });
const stop = arena.base('test.stop');
system.reader.online();
while (Atomics.load(arena.words, stop) === 0) if (thread.step() === 0) thread.park(5);
while (thread.step() !== 0);
path.close();
