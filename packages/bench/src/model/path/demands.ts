import type { ModelConfig, ModelGeneration } from '../config.ts';
import type { CostName } from '../costs/names.ts';
import { costOf } from '../costs/schema.ts';

/** What a generation asks for, for each fault or group, in nanoseconds. */
export interface Demands {
  readonly reportOutside: number;
  /** Under the device's parameter lock. */
  readonly reportParam: number;
  /** Under the device's fault lock. */
  readonly reportFault: number;
  /** A further fault of a group that was coalesced. */
  readonly reportJoined: number;
  readonly respondOutside: number;
  readonly respondParam: number;
  readonly respondFault: number;
  /** Each group on the list before the one that is answered. */
  readonly element: number;
  /** Whether the parameter lock is kept while the fault lock is taken. */
  readonly nested: boolean;
  /** Whether the answer's command is written under the fault lock. */
  readonly commandHeld: boolean;
}

/** @returns the generation's demands; with `locks` false, what is held is done outside, and nothing is searched. */
export function demandsOf({ generation, costs, locks }: ModelConfig): Demands {
  const demands = DEMANDS[generation]((name) => costOf(costs, name));
  if (locks) return demands;
  return {
    ...demands,
    reportOutside: demands.reportOutside + demands.reportParam + demands.reportFault,
    respondOutside: demands.respondOutside + demands.respondParam + demands.respondFault,
    reportParam: 0,
    reportFault: 0,
    respondParam: 0,
    respondFault: 0,
    element: 0,
    commandHeld: false,
  };
}

const NOTHING: Demands = {
  reportOutside: 0,
  reportParam: 0,
  reportFault: 0,
  reportJoined: 0,
  respondOutside: 0,
  respondParam: 0,
  respondFault: 0,
  element: 0,
  nested: false,
  commandHeld: false,
};

const DEMANDS: Record<ModelGeneration, (ns: (name: CostName) => number) => Demands> = {
  locked: (ns) => ({
    ...NOTHING,
    reportOutside: ns('report.locked.outside'),
    reportParam: ns('report.locked.param'),
    reportFault: ns('report.locked.fault'),
    respondOutside: ns('respond.locked.outside'),
    respondFault: ns('respond.locked.fault'),
    element: ns('respond.locked.element'),
    nested: true,
    commandHeld: true,
  }),
  v7: (ns) => ({
    ...NOTHING,
    reportOutside: ns('report.v7.outside'),
    reportParam: ns('report.v7.param'),
    reportFault: ns('report.v7.fault'),
    respondOutside: ns('respond.v7.outside'),
    respondParam: ns('respond.v7.param'),
    respondFault: ns('respond.v7.fault'),
    element: ns('respond.v7.element'),
    commandHeld: true,
  }),
  mainline: (ns) => ({
    ...NOTHING,
    reportOutside: ns('report.mainline.outside'),
    reportFault: ns('report.mainline.fault'),
    respondOutside: ns('respond.mainline.outside'),
    respondFault: ns('respond.mainline.fault'),
    commandHeld: true,
  }),
  lockless: (ns) => ({
    ...NOTHING,
    reportOutside: ns('report.lockless.outside'),
    respondOutside: ns('respond.lockless.outside'),
  }),
  adaptive: (ns) => ({
    ...NOTHING,
    reportOutside: ns('report.adaptive.outside'),
    reportJoined: ns('report.adaptive.joined'),
    respondOutside: ns('respond.adaptive.outside'),
  }),
};
