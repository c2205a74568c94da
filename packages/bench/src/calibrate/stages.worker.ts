// One machine on a thread of its own, which no other has taught its types.
import { parentPort, workerData } from 'node:worker_threads';
import { type MachineOrder, OneThreadMachine } from './machine.ts';
import { type CycleOptions, timeStages } from './stages.ts';

export interface StagesTask extends MachineOrder, CycleOptions {}

const { generation, devices, pagesPerJob, warmupMs, timeMs } = workerData as StagesTask;
const machine = new OneThreadMachine({ generation, devices, pagesPerJob });
await machine.enable();
parentPort?.postMessage(timeStages(machine, generation !== undefined, { warmupMs, timeMs }));
