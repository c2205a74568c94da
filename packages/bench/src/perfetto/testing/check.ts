import type { DecodedTrace, TraceEvent } from './decode.ts';

/** @returns what is wrong with a trace: times that go back, slices that do not nest, flows that begin or end twice or not at all,
 * counters that are below zero. */
export function faultsOfTrace({ events }: DecodedTrace): string[] {
  const wrong: string[] = [];
  const last = new Map<number, number>();
  const depth = new Map<string, number>();
  for (const event of events) {
    const { ns, sequence, track, type } = event;
    if (ns < (last.get(sequence) ?? 0)) wrong.push(`${ns}: after ${last.get(sequence)}`);
    last.set(sequence, ns);
    const step = { SLICE_BEGIN: 1, SLICE_END: -1 }[type] ?? 0;
    const now = (depth.get(track) ?? 0) + step;
    if (now < 0) wrong.push(`${ns}: ${track}: an end without a beginning`);
    depth.set(track, now);
    if (type === 'COUNTER' && event.value < 0) wrong.push(`${ns}: ${track}: ${event.value}`);
  }
  for (const [track, open] of depth) if (open !== 0) wrong.push(`${track}: ${open} slices without an end`);
  for (const [flow, way] of flowsOf(events)) {
    const names = way.map(({ name }) => name);
    const ends = way.filter(({ ends }) => ends !== '').length;
    if (names[0] !== 'stall' || ends !== 1 || way.at(-1)?.ends !== flow) wrong.push(`flow ${flow}: ${names.join(' ')}`);
  }
  return wrong;
}

/** Events by the flow that they are on. */
export function flowsOf(events: readonly TraceEvent[]): Map<string, TraceEvent[]> {
  return Map.groupBy(
    events.filter(({ flow, ends }) => flow !== '' || ends !== ''),
    ({ flow, ends }) => flow || ends,
  );
}
