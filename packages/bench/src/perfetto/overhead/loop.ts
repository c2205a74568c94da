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
/** Rounds of a turn: some milliseconds. */
const ROUNDS = 8;

/** The whole way of faults on one thread, a turn whenever asked; says what a fault took. @param onTurn what is to be done after each. */
export async function runLoop(watch: MachineWatch | undefined, onTurn: () => void): Promise<void> {
  const order = { generation: 'lockless', devices: DEVICES, pagesPerJob: PAGES_PER_JOB } as const;
  const machine = new Machine(order, undefined, 'all', watch);
  await machine.enable();
  parentPort?.on('message', () => {
    const began = process.threadCpuUsage(); // what others have of the processor is none of ours
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
    const { user, system } = process.threadCpuUsage(began);
    const ns = ((user + system) * 1000) / (ROUNDS * PAGES);
    onTurn();
    parentPort?.postMessage(ns);
  });
  parentPort?.postMessage('ready');
}
