import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { expect } from 'vitest';
import { initPriPort, type PriPortConfig, priPortWords } from './pri-port.layout.ts';

export const ANNOUNCE: number = LINE;
const ANNOUNCES = 3;
export const BELL: number = (1 + ANNOUNCES) * LINE;
export const WAKE: number = BELL + doorbellWords();
const PORTS: number = WAKE + doorbellWords();

export function portRig(configs: Partial<PriPortConfig>[]): {
  words: Words;
  bases: number[];
  wake: Doorbell;
  bell: Doorbell;
} {
  const bases: number[] = [];
  let end = PORTS;
  for (const { credits = 4 } of configs) {
    bases.push(end);
    end += priPortWords(credits);
  }
  const words = new Int32Array(new SharedArrayBuffer(end * 4));
  initDoorbell(words, BELL);
  initDoorbell(words, WAKE);
  configs.forEach((config, port) => {
    const base = { port, rid: 8, credits: 4, wakeAt: WAKE, announceBase: ANNOUNCE, doorbellBase: BELL };
    initPriPort(words, bases[port], { ...base, ...config });
  });
  return { words, bases, wake: new Doorbell(words, WAKE), bell: new Doorbell(words, BELL) };
}

export function refusal(field: string, code = 'EINVAL'): Error {
  return expect.objectContaining({ name: 'IommuError', code, field }) as Error;
}
