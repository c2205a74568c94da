import type { Words } from '@faultline/core/sync';
import { EVENT_ILLEGAL_COMMAND_ERROR, writeCommandEvent, writeInvalidPprRequest } from './event-log.ts';
import { AMD_STATS } from './layout.ts';
import type { LogWriter } from './log-writer.ts';
import { STAT_EVENTS, STAT_EVENTS_LOST } from './stats.ts';

// What the hardware writes to the event log. An event that finds no room is lost, and with it the log stops: what it says is for people.

export class EventWriter {
  readonly #words: Words;
  readonly #stats: number;
  readonly #log: LogWriter;

  constructor(words: Words, base: number, log: LogWriter) {
    this.#words = words;
    this.#stats = base + AMD_STATS;
    this.#log = log;
  }

  /** A page request that was refused. @param flags REQUEST_* */
  invalidPprRequest(
    deviceId: number,
    pasid: number,
    prgIndex: number,
    flags: number,
    pageLo: number,
    pageHi: number,
  ): void {
    if (!this.#reserve()) return;
    writeInvalidPprRequest(this.#words, this.#log.claim(), deviceId, pasid, prgIndex, flags, pageLo, pageHi);
  }

  illegalCommand(wordAt: number): void {
    this.command(EVENT_ILLEGAL_COMMAND_ERROR, 0, wordAt << 2, wordAt >>> 30);
  }

  /** An event about a command, by byte address. */
  command(type: number, deviceId: number, addressLo: number, addressHi: number): void {
    if (this.#reserve()) writeCommandEvent(this.#words, this.#log.claim(), type, deviceId, addressLo, addressHi);
  }

  #reserve(): boolean {
    if (this.#log.reserve()) {
      this.#words[this.#stats + STAT_EVENTS]++;
      return true;
    }
    this.#words[this.#stats + STAT_EVENTS_LOST]++;
    if (this.#log.running) this.#log.overflow();
    return false;
  }
}
