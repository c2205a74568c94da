import { checkInteger, ERRNO } from '@faultline/core/errors';
import type { ThreadSelf } from '@faultline/core/sync';
import {
  EVENT_WORDS,
  EVT_C_BAD_CD,
  EVT_C_BAD_STE,
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_ACCESS,
  EVT_F_ADDR_SIZE,
  EVT_F_PERMISSION,
  EVT_F_STREAM_DISABLED,
  EVT_F_TRANSLATION,
} from '../events.ts';
import type { VirtualArea } from './layout.ts';
import type { VirtualEventSink } from './viommu.ts';
import { VStreamReader } from './vstream.ts';

const STALL: number = 1 << 31; // in the low half of w1
const S2: number = 1 << 7; // in the high half of w1

/** Event numbers that a guest is told of, a bit each. */
const FORWARDED: number = [
  ...[EVT_C_BAD_STE, EVT_F_STREAM_DISABLED, EVT_C_BAD_SUBSTREAMID, EVT_C_BAD_CD],
  ...[EVT_F_TRANSLATION, EVT_F_ADDR_SIZE, EVT_F_ACCESS, EVT_F_PERMISSION],
].reduce((bits, id) => bits | (1 << id), 0);

/** Whether a guest may be told of the record at `at`: its own kinds of faults, none of stage 2, and no stall, which the fault handler answers. */
export function isForwardable(words: Int32Array, at: number): boolean {
  const id = words[at] & 0xff;
  if (id > 31 || (FORWARDED & (1 << id)) === 0) return false;
  return (words[at + 2] & STALL) === 0 && (words[at + 3] & S2) === 0;
}

/** What became of records. */
export interface RouteCounts {
  /** Handed to a vIOMMU's event queue. */
  readonly forwarded: number;
  /** Of a stream that belongs to no guest, or of a kind that guests are not told of: the host's to log. */
  readonly kept: number;
  /** Refused by the vIOMMU's event queue. */
  readonly refused: number;
}

/** Takes events of streams that belong to a guest to that guest's event queue. One instance, in the interrupt thread: stalled faults have been
 * reported before, what comes here needs no answer. @see Linux arm_smmu_handle_event(), arm_vmaster_report_event() */
export class VirtualEventRouter {
  readonly #words: Int32Array;
  readonly #masters: number;
  readonly #recordAt: number;
  readonly #reader: VStreamReader;
  readonly #sink: VirtualEventSink;
  #forwarded = 0;
  #kept = 0;
  #refused = 0;

  /** @param recordAt EVENT_WORDS words of this thread's own, for the record as the guest sees it. @throws IommuError EINVAL */
  constructor(area: VirtualArea, self: ThreadSelf, sink: VirtualEventSink, recordAt: number) {
    checkInteger('VirtualEventRouter', 'recordAt', recordAt, 1, area.words.length - EVENT_WORDS);
    this.#words = area.words;
    this.#masters = area.masters;
    this.#recordAt = recordAt;
    this.#reader = new VStreamReader(area, self);
    this.#sink = sink;
  }

  /** Routes the record at word offset `at`, an event of `device`'s stream.
   * @returns 0: the guest's queue has it, or counts it as lost; else negative errno: EOPNOTSUPP it is the host's (a device that the virtual side
   * does not know among them), or what the queue said. */
  route(device: number, at: number): number {
    if (device >= this.#masters || !isForwardable(this.#words, at)) {
      this.#kept++;
      return -ERRNO.EOPNOTSUPP;
    }
    this.#reader.enter(device);
    try {
      return this.#forward(at);
    } finally {
      this.#reader.leave();
    }
  }

  counts(): RouteCounts {
    return { forwarded: this.#forwarded, kept: this.#kept, refused: this.#refused };
  }

  /** The record as it is but for the StreamID, bits 63:32. */
  #forward(at: number): number {
    const { vsmmu, vsid } = this.#reader;
    if (vsmmu === 0) {
      this.#kept++;
      return -ERRNO.EOPNOTSUPP;
    }
    this.#words.copyWithin(this.#recordAt, at, at + EVENT_WORDS);
    this.#words[this.#recordAt + 1] = vsid;
    const result = this.#sink.reportEvent(vsmmu, this.#recordAt);
    if (result === 0) this.#forwarded++;
    else this.#refused++;
    return result;
  }
}
