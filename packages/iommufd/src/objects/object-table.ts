// The objects of one context, by id.
//
// Life of an object: reserve (the id is taken, nothing is found) → the maker fills it → finalize (found) or abort (as if never).
// A running call holds USERS and RUNNING (get, put); a dependent object holds USERS for as long as it lives (hold, release).
// destroy: USERS 1 → 0 by compare-exchange, or EBUSY; then the id goes, so that nobody finds it; then it waits for running calls that
// found it before and are about to see that it dies; then its type's destroyer runs, alone.
//
// Ordering.
//   [P] finalize: the object's words, then its slot      pairs with  [C] get: the slot, then the words
//   [U] get: RUNNING + 1, then the slot again            pairs with  [D] destroy: the slot, then RUNNING
// A row is reused for another object at any time after its destruction: a get that meets one notices by [U], and gives back what it
// took. RUNNING may be raised for that moment on a stranger: it is waited for, by who destroys or aborts that one too, never taken for a
// user. Whoever gives it back looks at WAITING after that, when the row may be yet another's: at worst somebody is woken for nothing.
import { IommuError } from '@faultline/core/errors';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import type { Xarray } from '@faultline/core/xarray';
import type { FailPoint, RecordPool } from '../memory/index.ts';
import { OBJECT_NAMES } from '../uapi/constants.ts';
import {
  ID_RESERVED,
  ID_TOMBSTONE,
  MAX_ID,
  OBJECT_CONTEXT,
  OBJECT_ID,
  OBJECT_RUNNING,
  OBJECT_TYPE,
  OBJECT_USERS,
  OBJECT_WAITING,
} from './layout.ts';

/** How long a destroyer waits for running calls without any of them ending. */
const DESTROY_TIMEOUT_MS = 60_000;

/** What ends an object of a type, once nobody else can reach it: gives back what it holds. The row is freed after it. */
export type Destroyer = (objectAt: number, object: number) => void;

export interface ObjectTableParts {
  readonly words: Words;
  readonly self: ThreadSelf;
  /** Rows of all contexts. */
  readonly pool: RecordPool;
  /** Ids of this context. */
  readonly ids: Xarray;
  readonly context: number;
  readonly fail: FailPoint;
  /** By OBJ_*. */
  readonly destroyers: Readonly<Record<number, Destroyer>>;
}

/** One thread's way to a context's objects. Inside they are named by their row's index: ids are for the user. */
export class ObjectTable {
  readonly #parts: ObjectTableParts;
  readonly #words: Words;
  readonly #pool: RecordPool;
  readonly #ids: Xarray;

  constructor(parts: ObjectTableParts) {
    this.#parts = parts;
    this.#words = parts.words;
    this.#pool = parts.pool;
    this.#ids = parts.ids;
  }

  /** Word offset of an object. */
  at(object: number): number {
    return this.#pool.at(object);
  }

  idOf(object: number): number {
    return this.#words[this.at(object) + OBJECT_ID];
  }

  typeOf(object: number): number {
    return this.#words[this.at(object) + OBJECT_TYPE];
  }

  /** Takes a row and the lowest free id, not to be found yet. @returns the object. @throws IommuError ENOMEM */
  reserve(call: string, type: number): number {
    const object = this.#pool.alloc(call);
    const fails = this.#parts.fail.fails('id');
    const id = fails ? -1 : this.#ids.alloc(ID_RESERVED, 1, MAX_ID);
    if (id < 0) {
      this.#pool.free(object); // nobody has seen it
      throw new IommuError('ENOMEM', call, 'id', id, fails ? 'made to fail' : 'no id is left');
    }
    const words = this.#words;
    const at = this.at(object);
    words[at + OBJECT_TYPE] = type;
    words[at + OBJECT_CONTEXT] = this.#parts.context;
    words[at + OBJECT_ID] = id;
    Atomics.store(words, at + OBJECT_USERS, 1);
    Atomics.store(words, at + OBJECT_RUNNING, 1);
    return object;
  }

  /** Publishes a reserved object. Cannot fail: the last step of making one. @returns its id. */
  finalize(object: number): number {
    const id = this.idOf(object);
    this.#ids.store(id, object); // [P]
    return id;
  }

  /** Takes a reserved object back that was never published: the caller has undone what it held. Nobody has found it; who found what was
   * in its row before may be counted on it for a moment, and is waited for: the row's next object has none but its own.
   * @throws IommuError EBUSY such a call did not end. */
  abort(object: number): void {
    const id = this.idOf(object);
    const calls = this.#waitForRunning(this.at(object));
    if (calls > 0) throw new IommuError('EBUSY', 'abort', 'id', id, `${calls} calls on its row did not end`);
    this.#ids.erase(id);
    this.#pool.free(object);
  }

  /** Finds an object of one of the types and holds it for a running call: {@link put} it.
   * @throws IommuError ENOENT unknown, of another type, being made or destroyed, a tombstone. */
  get(call: string, field: string, id: number, ...types: readonly number[]): number {
    const object = this.tryGet(id, types);
    if (object !== 0) return object;
    const wanted = types.map((type) => OBJECT_NAMES[type]).join(' or ');
    throw new IommuError('ENOENT', call, field, id, `names no ${wanted === '' ? 'object' : wanted}`);
  }

  /** As {@link get}; no types: any. @returns 0 where that throws. */
  tryGet(id: number, types: readonly number[]): number {
    const object = this.#ids.load(id); // [C]
    if (object === 0 || object >= ID_TOMBSTONE) return 0;
    const words = this.#words;
    const at = this.at(object);
    if (!countUp(words, at + OBJECT_RUNNING)) return 0;
    // [U] In its slot still, with RUNNING raised: destroyed it cannot be before that is given back.
    const found = this.#ids.load(id) === object && (types.length === 0 || types.includes(words[at + OBJECT_TYPE]));
    if (found && countUp(words, at + OBJECT_USERS)) return object;
    this.#doneRunning(at);
    return 0;
  }

  /** Lets go of what {@link get} holds. */
  put(object: number): void {
    const at = this.at(object);
    Atomics.sub(this.#words, at + OBJECT_USERS, 1); // before RUNNING: a destroyer that has waited finds no users
    this.#doneRunning(at);
  }

  /** Holds an object for a dependent one that lives on. The caller holds it already: by {@link get}, or through another. */
  hold(object: number): void {
    Atomics.add(this.#words, this.at(object) + OBJECT_USERS, 1);
  }

  /** As {@link hold}, of an object that nothing holds but a list it leaves as it ends: with the list's lock, its row stays what it is.
   * @returns false when it is being destroyed. */
  tryHold(object: number): boolean {
    return countUp(this.#words, this.at(object) + OBJECT_USERS);
  }

  release(object: number): void {
    Atomics.sub(this.#words, this.at(object) + OBJECT_USERS, 1);
  }

  /** Makes a destroyer wait for a longer while than one call: a vdevice on its device. */
  holdRunning(object: number): void {
    Atomics.add(this.#words, this.at(object) + OBJECT_RUNNING, 1);
  }

  releaseRunning(object: number): void {
    this.#doneRunning(this.at(object));
  }

  /** Users besides the table. A reading. */
  users(object: number): number {
    return Atomics.load(this.#words, this.at(object) + OBJECT_USERS) - 1;
  }

  /** Ends an object by its id. @throws IommuError ENOENT no such id; EBUSY it is used: nothing was changed. */
  destroy(call: string, id: number): void {
    const object = this.#ids.load(id);
    if (object === 0 || object >= ID_TOMBSTONE) throw new IommuError('ENOENT', call, 'id', id, 'names no object');
    const at = this.at(object);
    // With RUNNING raised a row that is in its slot cannot be destroyed and reused before its users are counted.
    if (!countUp(this.#words, at + OBJECT_RUNNING))
      throw new IommuError('ENOENT', call, 'id', id, 'is being destroyed');
    const same = this.#ids.load(id) === object;
    const ended = same && this.#endUsers(at);
    const busy = same && !ended ? `the ${OBJECT_NAMES[this.typeOf(object)]} has ${this.users(object)} users` : '';
    this.#doneRunning(at); // the row may be another's from here on
    if (!same) throw new IommuError('ENOENT', call, 'id', id, 'names no object');
    if (!ended) throw new IommuError('EBUSY', call, 'id', id, busy);
    this.finish(call, object, 0);
  }

  /** Gives up the caller's share and the table's in one step, if nobody else has any, and ends the object.
   * @param slot what its id holds afterwards: 0 or ID_TOMBSTONE. @returns false when others use it: nothing has changed. */
  remove(call: string, object: number, slot: number = 0): boolean {
    if (Atomics.compareExchange(this.#words, this.at(object) + OBJECT_USERS, 2, 0) !== 2) return false;
    this.finish(call, object, slot);
    return true;
  }

  /** As {@link remove}, for an object that a driver ends and calls may still be using: waits for those, and none can start meanwhile.
   * @throws IommuError EBUSY calls did not end, or something that lives on uses it: it is as it was, and the share still the caller's. */
  removeWaiting(call: string, object: number, slot: number = 0): void {
    const words = this.#words;
    const at = this.at(object);
    const id = words[at + OBJECT_ID];
    const calls = this.#waitForRunning(at);
    if (calls > 0) throw new IommuError('EBUSY', call, 'id', id, `${calls} calls on it did not end`);
    if (Atomics.compareExchange(words, at + OBJECT_USERS, 2, 0) !== 2) {
      Atomics.store(words, at + OBJECT_RUNNING, 1); // to be found again
      throw new IommuError('EBUSY', call, 'id', id, `has ${this.users(object) - 1} users`);
    }
    this.#ids.store(id, slot); // [D]
    this.#end(at, object);
  }

  /** Gives up the caller's share; who finds nobody left but the table ends the object. */
  releaseOrRemove(call: string, object: number): void {
    const words = this.#words;
    const at = this.at(object) + OBJECT_USERS;
    while (!this.remove(call, object)) {
      const seen = Atomics.load(words, at);
      if (seen > 2 && Atomics.compareExchange(words, at, seen, seen - 1) === seen) return;
    }
  }

  /** Ends an object whose USERS are 0: takes its id away, waits for those who found it before, destroys it. */
  finish(call: string, object: number, slot: number): void {
    const words = this.#words;
    const at = this.at(object);
    const id = words[at + OBJECT_ID];
    this.#ids.store(id, slot); // [D]
    const calls = this.#waitForRunning(at);
    if (calls > 0) {
      Atomics.store(words, at + OBJECT_USERS, 1);
      this.#ids.store(id, object); // as it was
      throw new IommuError('EBUSY', call, 'id', id, `${calls} calls on it did not end`);
    }
    this.#end(at, object);
  }

  #end(at: number, object: number): void {
    this.#parts.destroyers[this.#words[at + OBJECT_TYPE]](at, object);
    this.#pool.free(object); // unfindable, and whoever found it has let go
  }

  /** Objects that nobody uses but the table, for the end of a context. @returns how many it destroyed in one round. */
  destroyUnused(call: string): number {
    let destroyed = 0;
    for (let object = 1; object <= this.#pool.capacity; object++) {
      const at = this.at(object);
      if (this.#words[at + OBJECT_CONTEXT] !== this.#parts.context) continue;
      if (this.#ids.load(this.#words[at + OBJECT_ID]) !== object || !this.#endUsers(at)) continue;
      this.finish(call, object, 0);
      destroyed++;
    }
    return destroyed;
  }

  /** The objects of a type, each held as by {@link get}, by id. Those that are made or destroyed meanwhile may be missed. */
  ofType(type: number): number[] {
    const held: number[] = [];
    for (const id of this.unfinished().sort((a, b) => a - b)) {
      const object = this.tryGet(id, [type]);
      if (object !== 0) held.push(object);
    }
    return held;
  }

  /** Ids of objects that are there still. */
  unfinished(): number[] {
    const found: number[] = [];
    for (let object = 1; object <= this.#pool.capacity; object++) {
      const at = this.at(object);
      const id = this.#words[at + OBJECT_ID];
      if (this.#words[at + OBJECT_CONTEXT] === this.#parts.context && this.#ids.load(id) === object) found.push(id);
    }
    return found;
  }

  /** Whether no id is taken. */
  isEmpty(): boolean {
    return this.#ids.count() === 0;
  }

  /** Gives tombstones' ids back, at the end of the context: of all that is in the table they alone are left. */
  forgetTombstones(): void {
    for (let id = 1, left = this.#ids.count(); left > 0 && id <= MAX_ID; id++) if (this.#ids.erase(id) !== 0) left--;
  }

  #endUsers(at: number): boolean {
    return Atomics.compareExchange(this.#words, at + OBJECT_USERS, 1, 0) === 1;
  }

  #doneRunning(at: number): void {
    const left = Atomics.sub(this.#words, at + OBJECT_RUNNING, 1) - 1;
    if (left <= 1 && Atomics.load(this.#words, at + OBJECT_WAITING) !== 0)
      Atomics.notify(this.#words, at + OBJECT_RUNNING);
  }

  /** The table's own share stays in RUNNING until the last call is over: it is what this thread gives up at the end.
   * @returns calls that did not end in time; 0: none is left, and none can start. */
  #waitForRunning(at: number): number {
    const words = this.#words;
    if (Atomics.compareExchange(words, at + OBJECT_RUNNING, 1, 0) === 1) return 0;
    Atomics.store(words, at + OBJECT_WAITING, 1);
    for (;;) {
      const seen = Atomics.compareExchange(words, at + OBJECT_RUNNING, 1, 0);
      if (seen === 1) return 0;
      if (Atomics.wait(words, at + OBJECT_RUNNING, seen, DESTROY_TIMEOUT_MS) === 'timed-out') return seen - 1;
    }
  }
}

/** One more, unless it is 0: the object is gone. */
function countUp(words: Words, at: number): boolean {
  // Read plainly, as a guess: only the compare-exchange decides, and a guess of zero is looked at again.
  for (let seen = words[at] || Atomics.load(words, at); seen > 0; ) {
    const found = Atomics.compareExchange(words, at, seen, seen + 1);
    if (found === seen) return true;
    seen = found;
  }
  return false;
}
