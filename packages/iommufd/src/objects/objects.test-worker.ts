import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { OBJ_IOAS } from '../uapi/index.ts';
import { OBJECT_PAYLOAD } from './layout.ts';
import { openObjects } from './object-table.test-help.ts';

// Makes, uses and destroys objects of a few ids that all threads fight for. A payload word says whether the object lives: whoever holds
// one must find it alive from get to put.
const { words, id, rounds } = workerData as { words: Words; id: number; rounds: number };
const ALIVE = 1;
let ended = 0;
const { objects } = openObjects(words, { id, spins: 0 }, (at) => {
  if (Atomics.exchange(words, at + OBJECT_PAYLOAD, 0) !== ALIVE) throw new Error('ended twice');
  ended++;
});
const counts = { made: 0, used: 0, ended: 0, busy: 0 };
for (let round = 0; round < rounds; round++) {
  const wanted = 1 + ((round * 7 + id) % 4);
  if (round % 3 === 0) {
    const object = objects.reserve('make', OBJ_IOAS);
    Atomics.store(words, objects.at(object) + OBJECT_PAYLOAD, ALIVE);
    objects.finalize(object);
    counts.made++;
  }
  const object = objects.tryGet(wanted, [OBJ_IOAS]);
  if (object !== 0) {
    if (Atomics.load(words, objects.at(object) + OBJECT_PAYLOAD) !== ALIVE) throw new Error('dead in use');
    objects.put(object);
    counts.used++;
  }
  if (round % 3 !== 0) continue;
  for (let victim = 1; victim <= 8; victim++) {
    try {
      objects.destroy('DESTROY', victim);
      break;
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      if (error.code === 'EBUSY') counts.busy++;
    }
  }
}
parentPort?.postMessage({ ...counts, ended });
