import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attachDevice, detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { EventFile } from '../files/event-file.ts';
import { OBJECT_PAYLOAD, VEVENTQ_BODY } from '../objects/index.ts';
import { MOCK_VEVENTQ_TYPE } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { OBJ_VEVENTQ, VEVENTQ_ALLOC } from '../uapi/index.ts';
import { makeViommuRig } from '../viommu/viommu.test-help.ts';
import { EventQueue, reportEvent } from './index.ts';
import { MAX_DEPTH, VEVENTQ_SEQUENCE } from './layout.ts';

const TYPE = MOCK_VEVENTQ_TYPE;

function queueRig(depth: number, config: { readonly events?: number } = {}) {
  const rig = makeViommuRig(config);
  const { context, lab } = rig;
  const viommuId = rig.allocViommu();
  const { id, fd } = rig.allocQueue(viommuId, depth);
  const object = context.objects.get('test', 'veventq_id', id, OBJ_VEVENTQ);
  const body = context.words[context.objects.at(object) + VEVENTQ_BODY];
  const viommu = context.words[context.objects.at(object) + OBJECT_PAYLOAD];
  context.objects.put(object);
  const file = new EventFile(lab.machine, body);
  let reported = 0;
  const report = (payload = reported++): void =>
    reportEvent(lab.machine, viommu, TYPE, new Uint8Array(Uint32Array.of(payload).buffer));
  /** Everything that waits: numbers of events, those of lost headers behind an `L`. */
  const drain = (): string => {
    const seen: string[] = [];
    for (let event = file.next(); event !== undefined; event = file.next())
      seen.push(`${event.isLost ? 'L' : ''}${event.sequence}`);
    return seen.join(' ');
  };
  return { ...rig, viommuId, viommu, id, fd, body, file, queue: new EventQueue(lab.machine, body), report, drain };
}

describe('VEVENTQ_ALLOC', () => {
  test('refusals, in their order', () => {
    const { refusal, allocViommu, allocQueue, devId, lab } = makeViommuRig();
    const viommuId = allocViommu();
    expect(refusal(VEVENTQ_ALLOC, { flags: 1, type: 0 })).toBe('EOPNOTSUPP flags');
    expect(refusal(VEVENTQ_ALLOC, { type: 0, veventqDepth: 0 })).toBe('EOPNOTSUPP type');
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 0, viommuId: 99 })).toBe('EINVAL veventq_depth');
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 2 ** 19 + 1, viommuId: 99 })).toBe(
      'EINVAL veventq_depth',
    );
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 2 ** 19, viommuId: 99 })).toBe('ENOENT viommu_id');
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 1, viommuId: devId })).toBe('ENOENT viommu_id');
    const { fd } = allocQueue(viommuId, MAX_DEPTH);
    expect(fd).toBe(3);
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 1, viommuId })).toBe('EEXIST type');
    expect(refusal(VEVENTQ_ALLOC, { type: 1, veventqDepth: 1, viommuId })).toBe('');
    expect(refusal(VEVENTQ_ALLOC, { type: TYPE, veventqDepth: 1, viommuId: allocViommu() })).toBe('');
    expect(lab.machine.live().veventqs).toBe(3);
  });

  test('its file is one of its users; what waits at the end is dropped', () => {
    const rig = queueRig(8);
    for (let i = 0; i < 12; i++) rig.report();
    expect(rig.lab.machine.live().events).toBe(8);
    expect(refusalOf(() => rig.destroy(rig.id))).toBe('EBUSY id');
    rig.lab.caller(1).files.close(rig.fd);
    rig.destroy(rig.id);
    expect(rig.lab.machine.live()).toMatchObject({ events: 0, veventqs: 0, files: 0 });
    expect(refusalOf(() => rig.report())).toBe('EOPNOTSUPP type');
    expect(rig.lab.machine.live().events).toBe(0);
    rig.allocQueue(rig.viommuId, 1); // of the same type again
  });
});

describe('numbers', () => {
  test('depth 2, three events on an empty queue: two and a lost header; the next one follows', () => {
    const { report, drain } = queueRig(2);
    for (let i = 0; i < 3; i++) report();
    expect(drain()).toBe('0 1 L2');
    report();
    expect(drain()).toBe('3');
  });

  test('there is one lost header, behind the newest; a normal event takes its place', () => {
    const { report, drain, file } = queueRig(2);
    for (let i = 0; i < 5; i++) report();
    expect(file.next()?.sequence).toBe(0);
    report(); // 5: the gap from 1 tells what was lost
    expect(drain()).toBe('1 5');
    for (let i = 0; i < 9; i++) report();
    expect(drain()).toBe('6 7 L14');
    expect(drain()).toBe('');
  });

  test('after 2^31 - 1 comes 0, for lost events too', () => {
    const { report, drain, lab, body } = queueRig(2);
    lab.machine.words[lab.machine.pools.veventqs.at(body) + VEVENTQ_SEQUENCE] = 2 ** 31 - 2;
    for (let i = 0; i < 4; i++) report();
    expect(drain()).toBe('2147483646 2147483647 L1');
    report();
    expect(drain()).toBe('2');
  });

  test('without memory an event is lost, and its reporter told', () => {
    const { report, drain, lab } = queueRig(8, { events: 2 });
    for (let i = 0; i < 2; i++) report();
    expect(refusalOf(() => report())).toBe('ENOMEM events');
    expect(drain()).toBe('0 1 L2');
    lab.machine.fail.arm(1);
    expect(refusalOf(() => report())).toBe('ENOMEM events');
    report();
    expect(drain()).toBe('4');
    expect(lab.machine.live().events).toBe(0);
  });

  test('payloads that no event has', () => {
    const { lab, viommu } = queueRig(8);
    for (const bytes of [0, 33])
      expect(refusalOf(() => reportEvent(lab.machine, viommu, TYPE, new Uint8Array(bytes)))).toBe('EINVAL bytes');
  });

  test('a taken event counts until it is delivered', () => {
    const { queue, report, drain } = queueRig(1);
    report();
    const event = queue.take();
    if (event === undefined) throw new Error('nothing waits');
    report();
    expect(drain()).toBe('L1');
    queue.restore(event);
    report();
    expect(drain()).toBe('0 L2');
  });

  test('an event that comes back when a later one has been read already', () => {
    const { queue, report, drain, file } = queueRig(2);
    report();
    const event = queue.take();
    if (event === undefined) throw new Error('nothing waits');
    report();
    expect(file.next()?.sequence).toBe(1);
    queue.restore(event);
    report();
    expect(drain()).toBe('0 2');
  });

  test('a lost header goes back only where nothing waits', () => {
    const { queue, report, drain } = queueRig(1);
    for (let i = 0; i < 2; i++) report();
    const event = queue.take();
    const lost = queue.take();
    if (event === undefined || lost === undefined) throw new Error('nothing waits');
    expect([event.sequence, lost.record, lost.sequence]).toEqual([0, 0, 1]);
    queue.restore(lost);
    expect(queue.isWaiting()).toBe(true);
    expect(queue.take()).toEqual(lost);
    queue.delivered(event);
    report();
    queue.restore(lost);
    expect(drain()).toBe('2');
  });

  test('as a plain list of at most depth events and a header at its end', () => {
    const step = fc.constantFrom('report', 'read', 'fail', 'hold', 'give', 'back');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (depth, steps) => {
        const { queue, report, drain } = queueRig(depth);
        let list: string[] = [];
        let next = 0;
        const held: ReturnType<typeof queue.take>[] = [];
        const name = (event: { record: number; sequence: number }): string =>
          `${event.record === 0 ? 'L' : ''}${event.sequence}`;
        const restore = (event: string): void => {
          if (!event.startsWith('L') || list.length === 0) list = [event, ...list];
        };
        for (const each of steps) {
          if (each === 'report') {
            report();
            list = list.filter((event) => !event.startsWith('L'));
            const counted = list.length + held.filter((event) => event?.record !== 0).length;
            list.push(counted < depth ? `${next}` : `L${next}`);
            next++;
            continue;
          }
          const isTaken = each === 'give' || each === 'back';
          const event = isTaken ? held.shift() : queue.take();
          if (event === undefined) {
            if (!isTaken) expect(list).toEqual([]);
            continue;
          }
          if (!isTaken) expect(name(event)).toBe(list.shift());
          if (each === 'hold' && event.record !== 0) held.push(event);
          else if (each === 'fail' || each === 'back') {
            queue.restore(event);
            restore(name(event));
          } else queue.delivered(event);
        }
        expect(drain()).toBe(list.join(' '));
      }),
      { numRuns: 60 },
    );
  });
});

describe('vdevice_alloc, its events', () => {
  test('they go to the vIOMMU of the domain that is attached, under the number that the machine knows', () => {
    const rig = queueRig(2);
    const { context, devId, trigger, file, drain, viommuId } = rig;
    expect(refusalOf(() => trigger(1))).toBe('ENOENT device');
    rig.allocVdevice(viommuId, devId, 0x99n);
    expect(refusalOf(() => trigger(1))).toBe('ENOENT device'); // on the parent still
    const ptId = rig.allocNested(viommuId);
    replaceDevice(context, devId, { ptId });
    for (let i = 0; i < 3; i++) trigger(1);
    expect([...(file.next()?.payload ?? [])]).toEqual([0x99, 0, 0, 0]);
    expect(drain()).toBe('1 L2');
    trigger(1);
    expect(drain()).toBe('3');
    replaceDevice(context, devId, { ptId: rig.parentId });
    expect(refusalOf(() => trigger(1))).toBe('ENOENT device');
    detachDevice(context, devId);
    attachDevice(context, devId, { ptId });
    trigger(1);
    detachDevice(context, devId);
    expect(refusalOf(() => trigger(1))).toBe('ENOENT device');
    unbindDevice(context, devId);
    rig.lab.caller(1).files.close(rig.fd);
    rig.expectNothingLeft();
  });

  test('number 0 counts as none; without a queue the driver is told', () => {
    const rig = makeViommuRig();
    const { context, devId, trigger, allocVdevice, allocNested } = rig;
    const viommuId = rig.allocViommu();
    const vdeviceId = allocVdevice(viommuId, devId, 0n);
    const ptId = allocNested(viommuId);
    replaceDevice(context, devId, { ptId });
    expect(refusalOf(() => trigger(1))).toBe('ENOENT device');
    replaceDevice(context, devId, { ptId: rig.parentId });
    rig.destroy(vdeviceId);
    allocVdevice(viommuId, devId, 1n);
    replaceDevice(context, devId, { ptId });
    expect(refusalOf(() => trigger(1))).toBe('EOPNOTSUPP type');
  });
});
