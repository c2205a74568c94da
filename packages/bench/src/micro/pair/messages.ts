import type { MessagePort } from 'node:worker_threads';
import type { Bench, PairCase } from './case.ts';
import { recordsSum } from './records.ts';
import { RING_PARKING } from './round-trips.ts';
import { SPSC_SINGLE } from './spsc.ts';

type Message = { readonly [word in 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h']: number };

function record(i: number): Message {
  return { a: i, b: i + 1, c: i + 2, d: i + 3, e: i + 4, f: i + 5, g: i + 6, h: i + 7 };
}
function sum({ a, b, c, d, e, f, g, h }: Message): number {
  return a + b + c + d + e + f + g + h;
}

/** Handles messages until `handle` says that it was the last. */
function receiveUntil(port: MessagePort, handle: (message: Message) => boolean): Promise<void> {
  return new Promise((resolve) => {
    port.on('message', function receive(message: Message) {
      if (!handle(message)) return;
      port.off('message', receive);
      resolve();
    });
  });
}

function post({ port, items }: Bench): number {
  for (let i = 0; i < items; i++) port.postMessage(record(i));
  return 0;
}
async function gather({ port, items }: Bench): Promise<number> {
  let got = 0;
  let total = 0;
  await receiveUntil(port, (message) => {
    total = (total + sum(message)) | 0;
    return ++got === items;
  });
  return total;
}

async function ask({ port, items }: Bench): Promise<number> {
  let sent = 0;
  const answered = receiveUntil(port, () => {
    if (++sent === items) return true;
    port.postMessage(record(sent));
    return false;
  });
  port.postMessage(record(0));
  await answered;
  return 0;
}
async function answer({ port, items }: Bench): Promise<number> {
  let got = 0;
  await receiveUntil(port, (message) => {
    port.postMessage(message);
    return ++got === items;
  });
  return got;
}

export const messageThroughput: PairCase = {
  name: 'MessageChannel, postMessage of an object',
  peerOf: SPSC_SINGLE,
  kind: 'throughput',
  words: 0,
  sides: [post, gather],
  check: (items) => recordsSum(items, 8),
};

export const messageRoundTrip: PairCase = {
  name: 'MessageChannel, postMessage of an object, there and back',
  peerOf: RING_PARKING,
  kind: 'round trip',
  words: 0,
  sides: [ask, answer],
  check: (items) => items,
};
