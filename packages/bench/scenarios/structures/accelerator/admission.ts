// Who may begin a job: a thread in line that could begin is never left asleep.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { Doorbell, doorbellWords } from '@faultline/core/sync';
import { Admission, admissionWords, grantPlaces, placesOut } from '@faultline/hw/accelerator';

const THREADS = 3;
const bells = ['a', 'b', 'c'].map((name) => ({ name, words: doorbellWords(), fields: { SEQ: 0, PARKED: 32 } }));
const fields = { NEXT: 0, OPEN: 1, PLACES: 2, 'WAKE[0]': 32, 'WAKE[1]': 33, 'WAKE[2]': 34 };
const MEMORY = [...bells, { name: 'places', words: admissionWords(THREADS), fields }, { name: 'under-way', words: 1 }];

/** Does jobs as a device thread whose worker sleeps on its doorbell. */
function work({ words, at }: ThreadContext, bell: string, jobs: number, places: number): void {
  const wake = new Doorbell(words, at(bell));
  const admission = new Admission(words, at('places'), THREADS, at(bell));
  for (let job = 0; job < jobs; job++) {
    if (!admission.ask()) while (!admission.isAdmitted()) wake.sleep(() => admission.isAdmitted(), Infinity);
    if (Atomics.add(words, at('under-way'), 1) >= places) throw new Error('more jobs under way than places');
    Atomics.sub(words, at('under-way'), 1);
    admission.end();
  }
}

export const handOver: Scenario = scenario(import.meta.url, {
  name: 'structures/admission',
  about: 'Two threads share one place, one of them twice: is the one in line left asleep, or let in too early?',
  source: 'hw/src/accelerator/admission.ts',
  memory: MEMORY,
  setup: ({ words, at }) => grantPlaces(words, at('places'), 1),
  threads: {
    alice: { run: (context) => work(context, 'a', 2, 1) },
    bob: { run: (context) => work(context, 'b', 1, 1) },
  },
  check: ({ words, at }) => {
    if (placesOut(words, at('places')) !== 0) throw new Error('a place has not come back');
  },
});

export const threeInLine: Scenario = scenario(import.meta.url, {
  name: 'structures/admission-three',
  about: 'Three threads share two places: is whoever ends first heard by the one in line, whichever that is?',
  source: 'hw/src/accelerator/admission.ts, end',
  memory: MEMORY,
  setup: ({ words, at }) => grantPlaces(words, at('places'), 2),
  threads: {
    alice: { run: (context) => work(context, 'a', 1, 2) },
    bob: { run: (context) => work(context, 'b', 1, 2) },
    carol: { run: (context) => work(context, 'c', 1, 2) },
  },
});
