import { expect, test } from 'vitest';
import { OBJ_HWPT_PAGING, OBJ_IOAS } from '../uapi/index.ts';
import { ID_TOMBSTONE } from './layout.ts';
import { objectWords, openObjects } from './object-table.test-help.ts';

function rig() {
  const destroyed: number[] = [];
  const parts = openObjects(objectWords(), { id: 1, spins: 0 }, (_at, object) => destroyed.push(object));
  const make = (type: number = OBJ_IOAS): { object: number; id: number } => {
    const object = parts.objects.reserve('make', type);
    return { object, id: parts.objects.finalize(object) };
  };
  return { ...parts, destroyed, make };
}

test('ids are given out lowest first, from 1, and again after an end', () => {
  const { objects, make } = rig();
  expect([make().id, make().id, make().id]).toEqual([1, 2, 3]);
  objects.destroy('DESTROY', 2);
  expect(make().id).toBe(2);
  expect(make().id).toBe(4);
});

test('a reserved id is taken and finds nothing; an abort gives it back', () => {
  const { objects, pool, make } = rig();
  const object = objects.reserve('make', OBJ_IOAS);
  expect(() => objects.get('use', 'ioas_id', 1, OBJ_IOAS)).toThrow(/ioas_id = 1: names no ioas \(ENOENT\)/);
  expect(() => objects.destroy('DESTROY', 1)).toThrow(/ENOENT/);
  objects.abort(object);
  expect(pool.live()).toBe(0);
  expect(make().id).toBe(1);
});

test('an object is found as what it is', () => {
  const { objects, make } = rig();
  const { object, id } = make();
  expect(() => objects.get('use', 'hwpt_id', id, OBJ_HWPT_PAGING)).toThrow(/ENOENT/);
  expect(objects.get('use', 'pt_id', id, OBJ_HWPT_PAGING, OBJ_IOAS)).toBe(object);
  expect(objects.users(object)).toBe(1);
  objects.put(object);
  expect(objects.users(object)).toBe(0);
});

test('what is used is busy, and nothing has changed', () => {
  const { objects, destroyed, make } = rig();
  const { object, id } = make();
  objects.hold(object);
  expect(() => objects.destroy('DESTROY', id)).toThrow(/the ioas has 1 users \(EBUSY\)/);
  expect(objects.get('use', 'id', id, OBJ_IOAS)).toBe(object);
  expect(() => objects.destroy('DESTROY', id)).toThrow(/2 users/);
  objects.put(object);
  objects.release(object);
  objects.destroy('DESTROY', id);
  expect(destroyed).toEqual([object]);
});

test.each([0, 5, -1, 2 ** 31, 0.5, 2 ** 20])('id %s names nothing', (id) => {
  const { objects } = rig();
  expect(() => objects.destroy('DESTROY', id)).toThrow(/ENOENT/);
  expect(objects.tryGet(id, [])).toBe(0);
});

test('a tombstone keeps its id and is not found', () => {
  const { objects, ids, make } = rig();
  const { object, id } = make();
  objects.hold(object);
  expect(objects.remove('unbind', object, ID_TOMBSTONE)).toBe(true);
  expect(() => objects.destroy('DESTROY', id)).toThrow(/ENOENT/);
  expect(make().id).toBe(2);
  expect(objects.destroyUnused('close')).toBe(1);
  objects.forgetTombstones();
  expect(ids.count()).toBe(0);
});

test('the last user but the table ends an object', () => {
  const { objects, destroyed, make } = rig();
  const { object } = make();
  objects.hold(object);
  objects.hold(object);
  expect(objects.remove('unbind', object)).toBe(false);
  objects.releaseOrRemove('detach', object);
  expect(destroyed).toEqual([]);
  objects.releaseOrRemove('detach', object);
  expect(destroyed).toEqual([object]);
});

test('what cannot be had is refused, and nothing stays taken', () => {
  const { objects, pool, fail, ids } = rig();
  for (const nth of [1, 2]) {
    fail.arm(nth);
    expect(() => objects.reserve('make', OBJ_IOAS)).toThrow(/ENOMEM/);
    expect(pool.live()).toBe(0);
    expect(ids.count()).toBe(0);
  }
  for (let i = 0; i < pool.capacity; i++) objects.reserve('make', OBJ_IOAS);
  expect(() => objects.reserve('make', OBJ_IOAS)).toThrow(/all are in use \(ENOMEM\)/);
});

test('a context ends its objects, leaves first', () => {
  const { objects, destroyed, make } = rig();
  const parent = make();
  const child = make(OBJ_HWPT_PAGING);
  objects.hold(parent.object);
  expect(objects.destroyUnused('close')).toBe(1);
  expect(destroyed).toEqual([child.object]);
  expect(objects.unfinished()).toEqual([parent.id]);
  objects.release(parent.object);
  expect(objects.destroyUnused('close')).toBe(1);
});
