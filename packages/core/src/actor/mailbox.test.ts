import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINE, type Words } from '../sync/index.ts';
import { initMailbox, MailboxReceiver, MailboxSender, mailboxDoorbell, mailboxWords } from './mailbox.ts';

function mailbox(entries: number): { words: Words; sender: MailboxSender; receiver: MailboxReceiver } {
  const words = new Int32Array(new SharedArrayBuffer((LINE + mailboxWords(entries)) * 4));
  initMailbox(words, LINE, entries);
  return { words, sender: new MailboxSender(words, LINE), receiver: new MailboxReceiver(words, LINE) };
}

test('an event arrives with all its words', () => {
  const { sender, receiver } = mailbox(2);
  expect(receiver.hasEvents()).toBe(false);
  expect(sender.send(7, 3, 9, 1, -2, 2 ** 31 - 1, -(2 ** 31))).toBe(true);
  expect(receiver.hasEvents()).toBe(true);
  const seen: number[][] = [];
  expect(receiver.drain(10, (...event) => seen.push(event))).toBe(1);
  expect(seen).toEqual([[7, 3, 9, 1, -2, 2 ** 31 - 1, -(2 ** 31)]]);
  expect(receiver.hasEvents()).toBe(false);
});

test('a full mailbox refuses, and has room again from within the handler', () => {
  const { sender, receiver } = mailbox(2);
  expect([1, 2, 3].map((actor) => sender.send(actor, 1, 0, 0, 0, 0, 0))).toEqual([true, true, false]);
  const seen: number[] = [];
  receiver.drain(3, (actor) => {
    seen.push(actor);
    if (actor < 10) expect(sender.send(actor * 10, 1, 0, 0, 0, 0, 0)).toBe(true);
  });
  expect(seen).toEqual([1, 2, 10]);
});

test('a handler that throws is not given the same event again', () => {
  const { sender, receiver } = mailbox(2);
  for (const actor of [1, 2]) sender.send(actor, 1, 0, 0, 0, 0, 0);
  const thrown = new Error('no');
  const seen: number[] = [];
  const deliver = (actor: number): void => {
    seen.push(actor);
    if (actor === 1) throw thrown;
  };
  expect(() => receiver.drain(9, deliver)).toThrow(thrown);
  receiver.drain(9, deliver);
  expect(seen).toEqual([1, 2]);
});

test('each event rings the doorbell', () => {
  const { words, sender } = mailbox(2);
  const doorbell = mailboxDoorbell(words, LINE);
  const seen = doorbell.prepare();
  sender.send(1, 1, 0, 0, 0, 0, 0);
  expect(doorbell.sleepAsync(seen)).toBeUndefined();
  doorbell.awake();
});

test('behaves as a queue of bounded length', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('drain' as const), fc.integer())), (script) => {
      const { sender, receiver } = mailbox(4);
      const model: number[] = [];
      for (const step of script) {
        if (step === 'drain') {
          const seen: number[] = [];
          receiver.drain(2, (_actor, _code, _sender, a) => seen.push(a));
          expect(seen).toEqual(model.splice(0, 2));
        } else {
          expect(sender.send(1, 1, 0, step, 0, 0, 0)).toBe(model.length < 4);
          if (model.length < 4) model.push(step);
        }
      }
    }),
  );
});

test('refuses lengths that are no power of two', () => {
  for (const entries of [0, 3, -4, 1.5]) expect(() => mailboxWords(entries)).toThrow('capacity');
});
