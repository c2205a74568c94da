import { parentPort } from 'node:worker_threads';
import { Machine, type MachineWatch } from '../../calibrate/machine.ts';

const DEVICES = 8;
const PAGES_PER_JOB = 64;
const PAGES: number = DEVICES * PAGES_PER_JOB;
export const SHAPE: { readonly devices: number; readonly pages: number; readonly queueEntries: number } = {
  devices: DEVICES,
  pages: PAGES,
  queueEntries: 2048,
};
/** Of this thread; of the process where Node cannot tell: all others sleep. */
const usage: typeof process.cpuUsage = process.threadCpuUsage ?? process.cpuUsage;
/** Rounds of a turn: some milliseconds. */
const ROUNDS = 8;

/** The whole way of faults on one thread, a turn whenever asked; says what a fault took. @param onTurn what is to be done after each. */
export async function runLoop(watch: MachineWatch | undefined, onTurn: () => void): Promise<void> {
  const order = { generation: 'lockless', devices: DEVICES, pagesPerJob: PAGES_PER_JOB } as const;
  const machine = new Machine(order, undefined, 'all', watch);
  await machine.enable();
  parentPort?.on('message', () => {
    const began = usage(); // what others have of the processor meanwhile is not counted
    for (let round = 0; round < ROUNDS; round++) {
      machine.stall();
      machine.hardware();
      machine.report();
      machine.handle();
      machine.hardware();
      machine.collect();
      machine.touch();
      machine.touch(); // the second pass: ends the job
      machine.discard();
    }
    const { user, system } = usage(began);
    const ns = ((user + system) * 1000) / (ROUNDS * PAGES);
    onTurn();
    parentPort?.postMessage(ns);
  });
  parentPort?.postMessage('ready');
}
