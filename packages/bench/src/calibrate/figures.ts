// From times of stages to the model's costs: what is measured together is taken apart, so that the parts add up to it again.
import { GENERATIONS, type Generation } from '@faultline/core/iopf';
import { median } from 'simple-statistics';
import type { Cost, CostName, CostTable } from '../model/index.ts';
import type { HeldNs } from './held.ts';
import { HANDLER_BATCH } from './machine.ts';
import { type Measured, SMALL_JOB } from './measure.ts';
import type { StageTimes, Timing } from './stages.ts';

/** A cost as it was measured; `low` and `high` are the 5th and 95th percentile, as far as one stage's times say so. */
export interface Figure {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  readonly source: string;
}

export type Figures = Partial<Record<CostName, Figure>>;

/** @param pagesPerJob of the stages that are not `small`. */
export function figuresOf(measured: Measured, pagesPerJob: number): Figures {
  const { bare, stages, small, memory, threads } = measured;
  const all = GENERATIONS.map((generation) => stages[generation]);
  const touch = median(all.map((each) => each.touch.ns));
  const round = Math.max(0, (small.touch.ns - touch) / (1 / SMALL_JOB - 1 / pagesPerJob));
  const page = Math.max(0, touch - round / pagesPerJob);
  const middle = (of: (each: StageTimes) => Timing): Timing => all.map(of).sort((a, b) => a.ns - b.ns)[all.length >> 1];
  const stall = middle((each) => each.stall);
  // A handler that makes a page present finds it as another has left it; all else is the same with a page that was taken.
  const populate =
    memory.restore.ns +
    median(
      all.map(({ handle, handleTaken }) =>
        Math.max(0, handle.item.ns + handle.turn.ns / HANDLER_BATCH - handleTaken.ns),
      ),
    );
  const reportTurn = median(all.map(({ report }) => report.turn.ns));
  const handleTurn = median(all.map(({ handle }) => handle.turn.ns));
  const command = bare.handle.item.ns;
  const ofHandler = memory.lookUp.ns + memory.lock.ns + memory.restore.ns + command;
  const loopSleep = Math.max(0, threads.loopHop.ns - threads.hop.ns);
  return {
    'hardware.record': figure(
      middle(({ record }) => record.item),
      'SmmuHardware.pump, records',
    ),
    'hardware.resume': figure(
      middle(({ resume }) => resume.item),
      'SmmuHardware.pump, resume commands',
    ),
    'hardware.batch': figure(
      middle(({ record }) => record.turn),
      'SmmuHardware.pump, a turn of one record less the record',
    ),
    'interrupt.record': figure(bare.report.item, 'EventPump without a core'),
    'interrupt.batch': figure(bare.report.turn, 'EventPump, a batch of one less the record', reportTurn),
    'work.queue': figure(NOTHING, 'part of report.*.outside'),
    'work.take': figure(NOTHING, 'part of respond.*.outside'),
    'work.batch': figure(
      bare.handle.turn,
      'HandlerThread, a batch of one less the group and the flush',
      Math.max(0, handleTurn - bare.handle.turn.ns),
    ),
    'respond.command': figure(bare.handle.item, 'SmmuOps.resume'),
    'respond.flush': figure(bare.handle.turn, 'SmmuOps.flushResponses, one command a flush'),
    'handler.look-up': figure(memory.lookUp, 'Mm.getUsers, findArea, areaPerm, putUsers'),
    'handler.populate': figure(
      memory.populate,
      'HandlerThread, absent pages less taken ones, with Mm.handleMmFault of taken pages',
      populate,
    ),
    'handler.populate-cold': figure(
      measured.coldMemory.populate,
      'Mm.handleMmFault, absent pages of 128 MiB, less those that fit the caches',
      Math.max(0, measured.coldMemory.populate.ns - memory.populate.ns),
    ),
    'handler.restore': figure(memory.restore, 'Mm.handleMmFault, pages that the scanner took'),
    'mmap.lock': figure(memory.lock, 'Mm.readLock and readUnlock'),
    'device.touch': figure(all[0].touch, 'DeviceThread, a window that is there, less the round', page),
    'device.round': figure(small.touch, `DeviceThread, windows of ${SMALL_JOB} and ${pagesPerJob} pages`, round),
    'device.post': figure(
      stall,
      'DeviceThread, a window that is absent, less touch and round',
      Math.max(0, stall.ns - touch),
    ),
    'device.collect': figure(
      middle((each) => each.collect),
      'DeviceThread, answers taken',
    ),
    'device.discard': figure(memory.discard, 'Mm.discard, without its invalidation'),
    'scanner.visit': figure(memory.visit, 'PageScanner.step, nothing to take'),
    'scanner.take': figure(
      memory.take,
      'PageScanner.step, less the visit',
      Math.max(0, memory.take.ns - memory.visit.ns),
    ),
    'notifier.call': figure(bare.notify, 'SmmuOps.invalidateRange and CMD_SYNC, written'),
    'hardware.invalidate': figure(bare.invalidate, 'SmmuHardware.pump, an invalidation and its CMD_SYNC'),
    'thread.wake': figure(threads.call, 'Atomics.notify in a ring of threads, one asleep'),
    'thread.wake-latency': figure(threads.latency, 'Atomics.notify until the thread runs'),
    'thread.switch': figure(
      threads.hop,
      'processor time of a hop round a ring of threads, less the call',
      Math.max(0, threads.hop.ns - threads.call.ns),
    ),
    'hardware.sleep': figure(threads.loopHop, LOOP_SLEEP, loopSleep),
    'interrupt.sleep': figure(threads.loopHop, LOOP_SLEEP, loopSleep),
    'lock.sleep': figure(threads.unlock, 'mutexUnlock, one thread asleep on it'),
    'line.transfer': figure(threads.transfer, 'a word to and fro between two threads, one way'),
    ...Object.assign({}, ...GENERATIONS.map((generation) => pathOf(generation, measured, ofHandler))),
  };
}

/** A generation's report and answer, apart by what is held. */
function pathOf(generation: Generation, { bare, stages, held, searches }: Measured, ofHandler: number): Figures {
  const { report, handle, handleTaken } = stages[generation];
  const reported = Math.max(0, report.item.ns - bare.report.item.ns);
  // Of pages that were taken, as zeroing varies more than all else in an answer.
  const answered = Math.max(0, handleTaken.ns - handle.turn.ns / HANDLER_BATCH - ofHandler);
  const [reportName, respondName] = [`report.${generation}`, `respond.${generation}`] as const;
  const outside = (timing: Timing, ns: number): Figure =>
    figure(timing, `${generation}, less what is held`, Math.max(0, ns));
  if (generation === 'lockless' || generation === 'adaptive')
    return {
      [`${reportName}.outside`]: figure(report.item, `${generation}, EventPump less without a core`, reported),
      [`${respondName}.outside`]: figure(
        handleTaken,
        `${generation}, HandlerThread less address space and command`,
        answered,
      ),
    };
  const isNested = generation === 'locked';
  const inReport = fitted(held[generation].report, reported, isNested);
  const inAnswer = fitted(held[generation].handle, answered + bare.handle.item.ns, false);
  const reportParam = isNested ? inReport.param - inReport.fault : inReport.param;
  const answerFault = Math.max(0, inAnswer.fault - bare.handle.item.ns); // the model adds the command
  const by = `${generation}, from the lock taken to given back`;
  return {
    [`${reportName}.outside`]: outside(report.item, reported - reportParam - inReport.fault),
    [`${reportName}.fault`]: figure(report.item, by, inReport.fault),
    [`${respondName}.outside`]: outside(handleTaken, answered - inAnswer.param - answerFault),
    [`${respondName}.fault`]: figure(handleTaken, `${by}, less the command`, answerFault),
    ...(generation === 'mainline'
      ? {}
      : {
          [`${reportName}.param`]: figure(report.item, by, reportParam),
          [`${respondName}.element`]: exactly(
            searches[generation].element,
            `${generation}, slope over lists of ${searches[generation].lengths.map(({ length }) => length).join(', ')}`,
          ),
        }),
    ...(generation === 'v7' ? { [`${respondName}.param`]: figure(handleTaken, by, inAnswer.param) } : {}),
  };
}

/** Looking at the clock makes short holds longer: what is held is no more than the whole. @param isNested the fault lock inside the other */
function fitted({ param, fault }: HeldNs, whole: number, isNested: boolean): HeldNs {
  const all = isNested ? Math.max(param, fault) : param + fault;
  const share = all > whole ? whole / all : 1;
  return { param: (isNested ? Math.max(param, fault) : param) * share, fault: fault * share };
}

const LOOP_SLEEP = 'processor time of a hop round a ring of threads with event loops, less that of a ring without';
const NOTHING: Timing = { ns: 0, low: 0, high: 0, cycles: 0 };

/** @param ns what is left of the timing once other parts are taken out: its spread stays, in proportion. */
function figure({ ns: all, low, high }: Timing, source: string, ns: number = all): Figure {
  const share = all === 0 ? 0 : ns / all;
  return { ns, low: low * share, high: high * share, source };
}
function exactly(ns: number, source: string): Figure {
  return { ns: Math.max(0, ns), low: ns, high: ns, source };
}

/** The costs with what was measured in its place. What was not stays as it stands, marked as it is. */
export function withFigures(costs: CostTable, figures: Figures): CostTable {
  const measured = Object.entries(figures).map(([name, { ns, source }]): [string, Cost] => [
    name,
    { ns: Math.round(ns * 10) / 10, kind: 'measured', source: `faultline calibrate: ${source}` },
  ]);
  return { ...costs, ...Object.fromEntries(measured) };
}
