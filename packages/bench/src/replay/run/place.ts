import { alignLine } from '@faultline/core/memory';
import type { SpscConsumer } from '@faultline/core/ring';
import { TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { histogramRecord, histogramWords } from '@faultline/core/trace';
import type { FoldedPages } from './folded-pages.ts';
import {
  FEED_ASAP,
  FEED_DUE_HI,
  FEED_DUE_LO,
  PLACE_HELD_CREDIT,
  PLACE_HELD_INDEX,
  PLACE_LATENESS,
  PLACE_UNSENT,
} from './layout.ts';
import { HELD_CREDIT, HELD_INDEX, type ReplayEndpoint, SENT, UNSENT } from './replay-endpoint.ts';

/** Words of what a place writes down (layout.ts). */
export const PLACE_WORDS: number = PLACE_LATENESS + alignLine(histogramWords());

/** Records that are sent before others have their turn. */
const BATCH = 64;
/** A sleep that is to end when a record is due is over a little early rather than late. */
const EARLY_MS = 0.05;
const MAX_LATE_TICKS: number = 2 ** 31 - 1;

/** One device of the trace: sends its records, in their order, each when it is due and may be sent. */
export class Place {
  /** How long nothing will be due, after a {@link step} that did nothing. */
  waitMs: number = Number.POSITIVE_INFINITY;
  readonly #words: Words;
  readonly #base: number;
  readonly #feed: SpscConsumer;
  readonly #endpoint: ReplayEndpoint;
  readonly #pages: FoldedPages | undefined;
  #isHeld = false; // the record at hand has been refused, and counted
  #isFolded = false;

  constructor(
    words: Words,
    base: number,
    feed: SpscConsumer,
    endpoint: ReplayEndpoint,
    pages: FoldedPages | undefined,
  ) {
    this.#words = words;
    this.#base = base;
    this.#feed = feed;
    this.#endpoint = endpoint;
    this.#pages = pages;
  }

  /** Sends what is due. @returns records sent and answers taken. */
  step(elapsedMs: number): number {
    this.waitMs = Number.POSITIVE_INFINITY;
    let done = 0;
    for (let at = this.#feed.peek(); at !== 0 && done < BATCH; at = this.#feed.peek()) {
      const dueMs = this.#dueMs(at);
      if (dueMs > elapsedMs) {
        this.waitMs = Math.max(0, dueMs - elapsedMs - EARLY_MS);
        break;
      }
      if (!this.#send(at)) break;
      if (dueMs !== Number.NEGATIVE_INFINITY) this.#late(elapsedMs - dueMs);
      this.#feed.next();
      done++;
    }
    this.#feed.release();
    return done + this.#endpoint.pump();
  }

  pump(): number {
    return this.#endpoint.pump();
  }
  hasAnswers(): boolean {
    return this.#endpoint.hasWork();
  }
  /** Whether {@link step} might find something that it did not find last time. */
  hasWork(): boolean {
    return (
      this.#endpoint.hasWork() || (this.waitMs === Number.POSITIVE_INFINITY && !this.#isHeld && this.#feed.peek() !== 0)
    );
  }
  /** Nothing is left to send, and no answer is due. */
  isDone(): boolean {
    return this.#feed.peek() === 0 && this.#endpoint.due === 0;
  }
  isAnswered(): boolean {
    return this.#endpoint.due === 0;
  }
  end(): void {
    this.#endpoint.end();
  }

  #send(at: number): boolean {
    if (this.#pages !== undefined && !this.#isFolded) {
      this.#pages.fold(at);
      this.#isFolded = true;
    }
    const found = this.#endpoint.send(at);
    if (found === SENT || found === UNSENT) {
      if (found === UNSENT) this.#words[this.#base + PLACE_UNSENT]++;
      this.#isHeld = false;
      this.#isFolded = false;
      return true;
    }
    if (!this.#isHeld) {
      if (found === HELD_INDEX) this.#words[this.#base + PLACE_HELD_INDEX]++;
      else if (found === HELD_CREDIT) this.#words[this.#base + PLACE_HELD_CREDIT]++;
    }
    this.#isHeld = true;
    return false;
  }

  #dueMs(at: number): number {
    const high = this.#words[at + FEED_DUE_HI];
    if (high === FEED_ASAP) return Number.NEGATIVE_INFINITY;
    return (high * 2 ** 32 + (this.#words[at + FEED_DUE_LO] >>> 0)) / TICKS_PER_MS;
  }

  #late(ms: number): void {
    histogramRecord(this.#words, this.#base + PLACE_LATENESS, Math.min(MAX_LATE_TICKS, Math.round(ms * TICKS_PER_MS)));
  }
}
