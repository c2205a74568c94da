import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MpmcConsumer, MpmcProducer } from './mpmc.ts';
import { MpscConsumer, MpscProducer } from './mpsc.ts';
import { BASE, mpmcAt, mpscAt, spmcAt, spscAt } from './rings.test-help.ts';
import { SpmcConsumer, SpmcProducer } from './spmc.ts';
import { SpscConsumer, SpscProducer } from './spsc.ts';

// Every ring is a queue of at most `capacity` values, wherever its indices stand. A step is a call with a count.
type Step = [call: 'put' | 'show' | 'get' | 'give back', count: number];

const capacities = fc.constantFrom(1, 2, 4, 8, 16);
const starts = fc.oneof(fc.constantFrom(0, 2 ** 31 - 5, -5), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(fc.constantFrom('put', 'show', 'get', 'give back'), fc.integer({ min: 1, max: 20 })),
  { maxLength: 60 },
);

/** A queue with the rings' two delays: what is put shows later, what is got frees its room later. */
class Model {
  hidden: number[] = [];
  shown: number[] = [];
  got = 0;
  readonly capacity: number;
  constructor(capacity: number) {
    this.capacity = capacity;
  }
  get room(): number {
    return this.capacity - this.hidden.length - this.shown.length - this.got;
  }
  show(): void {
    this.shown.push(...this.hidden.splice(0));
  }
}

test('SPSC is a queue, slot by slot and in runs', () => {
  fc.assert(
    fc.property(capacities, starts, fc.boolean(), steps, (capacity, start, runs, todo) => {
      const words = spscAt(start, capacity, 2);
      const producer = new SpscProducer(words, BASE);
      const consumer = new SpscConsumer(words, BASE);
      const model = new Model(capacity);
      let value = 0;
      for (const [call, count] of todo) {
        if (call === 'put') {
          for (let left = count; left > 0; ) {
            const slot = producer.claim();
            expect(slot === 0).toBe(model.room === 0);
            if (slot === 0) break;
            const claimed = 1 + (runs ? producer.claimMore(left - 1) : 0);
            for (let i = 0; i < claimed; i++) {
              words[slot + 2 * i] = ++value;
              model.hidden.push(value);
            }
            expect(model.room).toBeGreaterThanOrEqual(0);
            left -= claimed;
          }
          expect(producer.pending).toBe(model.hidden.length);
        } else if (call === 'show') {
          producer.publish();
          model.show();
        } else if (call === 'get') {
          for (let left = count; left > 0; ) {
            const slot = consumer.peek();
            expect(slot === 0).toBe(model.shown.length === 0);
            if (slot === 0) break;
            const taken = runs ? consumer.nextRun(left) : 1;
            if (!runs) consumer.next();
            expect(taken).toBeGreaterThan(0);
            for (let i = 0; i < taken; i++) expect(words[slot + 2 * i]).toBe(model.shown.shift());
            model.got += taken;
            left -= taken;
          }
        } else {
          consumer.release();
          model.got = 0;
        }
      }
    }),
  );
});

test('MPSC is a queue in the order of the claims', () => {
  fc.assert(
    fc.property(capacities, starts, steps, (capacity, start, todo) => {
      const words = mpscAt(start, capacity, 3);
      const producers = [new MpscProducer(words, BASE), new MpscProducer(words, BASE)];
      const consumer = new MpscConsumer(words, BASE);
      const model = new Model(capacity);
      const owed: number[] = [];
      let value = 0;
      for (const [call, count] of todo) {
        if (call === 'put') {
          for (let i = 0; i < count; i++) {
            const slot = producers[i & 1].claim();
            expect(slot === 0).toBe(model.room === 0);
            if (slot === 0) break;
            words[slot + 2] = ++value;
            model.hidden.push(value);
            owed.push(slot);
          }
        } else if (call === 'show') {
          for (const slot of owed.splice(0).toReversed()) producers[count & 1].publish(slot);
          model.show();
        } else if (call === 'get') {
          for (let i = 0; i < count; i++) {
            const slot = consumer.peek();
            expect(slot === 0).toBe(model.shown.length === 0);
            if (slot === 0) break;
            expect(words[slot + 2]).toBe(model.shown.shift());
            consumer.next();
            model.got++;
          }
        } else {
          consumer.release();
          model.got = 0;
        }
      }
    }),
  );
});

test('SPMC is a queue, whoever takes', () => {
  fc.assert(
    fc.property(capacities, starts, steps, (capacity, start, todo) => {
      const words = spmcAt(start, capacity);
      const producer = new SpmcProducer(words, BASE);
      const consumers = [new SpmcConsumer(words, BASE), new SpmcConsumer(words, BASE)];
      const model = new Model(capacity);
      const into = new Int32Array(20);
      let value = 0;
      for (const [call, count] of todo) {
        if (call === 'put') {
          for (let i = 0; i < count; i++) {
            const room = model.room > 0;
            expect(producer.push(++value)).toBe(room);
            if (room) model.hidden.push(value);
          }
          expect(producer.pending).toBe(model.hidden.length);
        } else if (call === 'show') {
          producer.publish();
          model.show();
        } else if (call === 'get') {
          const taken = consumers[count & 1].take(into, count);
          expect([...into.subarray(0, taken)]).toEqual(model.shown.splice(0, count));
        }
        expect(consumers[0].size()).toBe(model.shown.length);
      }
    }),
  );
});

test('MPMC is a queue, whoever pushes and pops', () => {
  fc.assert(
    fc.property(fc.constantFrom(2, 4, 8, 16), starts, steps, (capacity, start, todo) => {
      const words = mpmcAt(start, capacity);
      const producers = [new MpmcProducer(words, BASE), new MpmcProducer(words, BASE)];
      const consumers = [new MpmcConsumer(words, BASE), new MpmcConsumer(words, BASE)];
      const model = new Model(capacity);
      let value = 0;
      for (const [call, count] of todo) {
        for (let i = 0; i < count; i++) {
          if (call === 'put') {
            const room = model.room > 0;
            expect(producers[i & 1].push(++value)).toBe(room);
            if (room) model.shown.push(value);
          } else expect(consumers[i & 1].pop()).toBe(model.shown.shift() ?? 0);
        }
      }
    }),
  );
});
