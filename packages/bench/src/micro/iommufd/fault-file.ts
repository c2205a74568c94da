// A fault's way through user space and back on one thread: by typed calls, and as bytes in a process's memory.
import type { IommuOps } from '@faultline/core';
import { type Cost, SELF, type Subject } from '../costs/subject.ts';
import type { Goal } from '../goals.ts';
import { ByteReader, makeRigArena, openRig, Trigger, TypedReader } from './fault-rig.ts';

const FAULTS = 1024;
export const BATCHES = [1, 64] as const;

const OPS: IommuOps = { pageResponse() {}, flushResponses() {} };

function cycles(batch: number, makeReader: typeof openReader): Cost[] {
  const machine = openRig(makeRigArena(), SELF, OPS);
  machine.system.reader.online();
  const trigger = new Trigger(machine);
  const reader = makeReader(machine, batch);
  const readAll = (): void => {
    for (let read = 0; read < FAULTS; read += batch) must(reader.step(), batch);
  };
  return [
    {
      name: 'trigger, read, respond',
      operations: FAULTS,
      run() {
        for (let done = 0; done < FAULTS; done += batch) {
          trigger.report(batch);
          must(reader.step(), batch);
        }
      },
    },
    {
      name: 'of these, trigger',
      operations: FAULTS,
      before: () => {
        while (reader.step() !== 0);
      },
      run() {
        for (let done = 0; done < FAULTS; done += batch) trigger.report(batch);
      },
    },
    {
      name: 'of these, read and respond',
      operations: FAULTS,
      before() {
        while (reader.step() !== 0);
        for (let done = 0; done < FAULTS; done += batch) trigger.report(batch);
      },
      run: readAll,
    },
  ];
}

type Reader = Pick<TypedReader, 'step'>;
function openReader(machine: ReturnType<typeof openRig>, batch: number): Reader {
  return new TypedReader(machine, batch);
}
function openBytes(machine: ReturnType<typeof openRig>, batch: number): Reader {
  return new ByteReader(machine, batch);
}

function must(done: number, asked: number): void {
  if (done !== asked) throw new Error(`fault file: ${done} of ${asked} faults`);
}

/** Goals of a cycle, in nanoseconds, by the faults of a batch. */
export const CYCLE_GOALS: Readonly<Record<(typeof BATCHES)[number], Goal>> = { 1: { most: 700 }, 64: { most: 250 } };

export function faultFileSubject(way: 'typed calls' | 'bytes', batch: number): string {
  return `fault file, ${way}, ${batch === 1 ? 'one by one' : `batches of ${batch}`}`;
}

export const WAYS = ['typed calls', 'bytes'] as const;

export const faultFileSubjects: readonly Subject[] = WAYS.flatMap((way) =>
  BATCHES.map((batch) => ({
    name: faultFileSubject(way, batch),
    costs: () => cycles(batch, way === 'bytes' ? openBytes : openReader),
  })),
);
