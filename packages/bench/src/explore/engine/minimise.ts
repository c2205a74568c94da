// Takes switches out of a schedule for as long as the same thing breaks.
import type { Run } from '../result.ts';

/** Runs given choices (then no switch that is not needed). @returns the choices that were made when the same broke, else undefined. */
export type Attempt = (choices: Uint8Array) => Promise<Uint8Array | undefined>;

const MOST_ATTEMPTS = 600;
const MOST_MS = 3_000;

export function runsOf(choices: Uint8Array): Run[] {
  const runs: [number, number][] = [];
  for (const thread of choices) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === thread) last[1]++;
    else runs.push([thread, 1]);
  }
  return runs;
}

export function choicesOf(runs: readonly Run[]): Uint8Array {
  return Uint8Array.from(runs.flatMap(([thread, steps]) => new Array<number>(steps).fill(thread)));
}

/** @param enough asked before each attempt.
 * @returns a schedule that breaks the same, with no more switches than `choices`, and usually far fewer. */
export async function minimise(
  choices: Uint8Array,
  attempt: Attempt,
  enough: () => boolean = () => false,
): Promise<Uint8Array> {
  const until = performance.now() + MOST_MS;
  let left = MOST_ATTEMPTS;
  let best = choices;
  const better = async (candidate: Uint8Array): Promise<boolean> => {
    if (left-- <= 0 || performance.now() > until || enough()) return false;
    const made = await attempt(candidate);
    if (made === undefined || !isShorter(made, best)) return false;
    best = made;
    return true;
  };

  // The shortest beginning that is enough: what comes after it needs no telling.
  const ends = boundaries(choices);
  for (const end of ends) if (await better(choices.slice(0, end))) break;
  for (let improved = true; improved; ) {
    improved = false;
    const runs = runsOf(best);
    for (let i = 0; i + 2 < runs.length && !improved; i++) {
      for (let j = i + 2; j < runs.length && !improved; j++) {
        if (runs[j][0] !== runs[i][0]) continue;
        // The thread does at once what it did after the others: or it does all of it later.
        const between = runs.slice(i + 1, j);
        const whole: Run = [runs[i][0], runs[i][1] + runs[j][1]];
        improved =
          (await better(choicesOf([...runs.slice(0, i), whole, ...between, ...runs.slice(j + 1)]))) ||
          (await better(choicesOf([...runs.slice(0, i), ...between, whole, ...runs.slice(j + 1)])));
        break;
      }
    }
  }
  return best;
}

/** Where the thread changes, ends included. */
function boundaries(choices: Uint8Array): number[] {
  const ends: number[] = [0];
  for (let i = 1; i < choices.length; i++) if (choices[i] !== choices[i - 1]) ends.push(i);
  return ends;
}

function isShorter(made: Uint8Array, best: Uint8Array): boolean {
  const switches = runsOf(made).length - runsOf(best).length;
  return switches < 0 || (switches === 0 && made.length < best.length);
}
