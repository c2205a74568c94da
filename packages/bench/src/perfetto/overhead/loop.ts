import { parentPort } from 'node:worker_threads';
import { median } from 'simple-statistics';
import { Machine, type MachineWatch } from '../../calibrate/machine.ts';

const DEVICES = 8;
const PAGES_PER_JOB = 64;
const PAGES: number = DEVICES * PAGES_PER_JOB;
export const SHAPE: { readonly devices: number; readonly pages: number; readonly queueEntries: number } = {
  devices: DEVICES,
  pages: PAGES,
  queueEntries: 2048,
};
/** Rounds of a turn, half a millisecond each: whoever takes the processor meanwhile meets few of them. */
const ROUNDS = 7;

/** The whole way of faults on one thread, a turn whenever asked; says what a fault took, the middle of a few rounds. @param onTurn what is to be done after each. */
export async function runLoop(watch: MachineWatch | undefined, onTurn: () => void): Promise<void> {
  const order = { generation: 'lockless', devices: DEVICES, pagesPerJob: PAGES_PER_JOB } as const;
  const machine = new Machine(order, undefined, 'all', watch);
  await machine.enable();
  const round = (): number => {
    const began = performance.now();
    machine.stall();
    machine.hardware();
    machine.report();
    machine.handle();
    machine.hardware();
    machine.collect();
    machine.touch();
    machine.touch(); // the second pass: ends the job
    machine.discard();
    return ((performance.now() - began) * 1e6) / PAGES;
  };
  parentPort?.on('message', () => {
    round(); // its memory is another thread's until now
    const ns = median(Array.from({ length: ROUNDS }, round));
    onTurn();
    parentPort?.postMessage(ns);
  });
  parentPort?.postMessage('ready');
}
