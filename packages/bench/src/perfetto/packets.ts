// Perfetto's TrackEvent packets, a sequence of them, as bytes. Field numbers are those of Perfetto's trace_packet.proto, track_event.proto,
// track_descriptor.proto, counter_descriptor.proto, interned_data.proto and debug_annotation.proto; comments name them.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

const SEQUENCE = 1;
const INCREMENTAL_STATE_CLEARED = 1;
const NEEDS_INCREMENTAL_STATE = 2;
const EXPLICIT_ORDER = 3; // ChildTracksOrdering.EXPLICIT
const UNIT_COUNT = 2;

export const SLICE_BEGIN = 1;
export const SLICE_END = 2;
export const INSTANT = 3;
const COUNTER = 4;

export interface TrackSpec {
  readonly name: string;
  /** The track's number, as all tracks' numbers from 1. */
  readonly parent?: number | undefined;
  /** Place among its siblings. */
  readonly rank: number;
  /** A counter, of these. */
  readonly counts?: string | undefined;
}

export interface EventSpec {
  readonly track: number;
  readonly type: number;
  /** Absent at the end of a slice. */
  readonly name?: string | undefined;
  /** A flow that goes through here. */
  readonly flow?: bigint | undefined;
  /** The flow ends here. */
  readonly ends?: boolean | undefined;
  readonly notes?: Readonly<Record<string, number | string>> | undefined;
}

/** Makes packets. Names are written once and then referred to: all packets of one file come from one of these, in order. */
export class Packets {
  readonly #names: Map<string, number> = new Map();
  readonly #noteNames: Map<string, number> = new Map();
  #isFirst = true;

  track(number: number, { name, parent, rank, counts }: TrackSpec): Uint8Array {
    return this.#packet((w) => {
      w.tag(60, WireType.LengthDelimited).fork(); // track_descriptor
      w.tag(1, WireType.Varint).uint64(number); // uuid
      w.tag(2, WireType.LengthDelimited).string(name); // name
      if (parent !== undefined) w.tag(5, WireType.Varint).uint64(parent); // parent_uuid
      if (counts !== undefined) {
        w.tag(8, WireType.LengthDelimited).fork(); // counter
        w.tag(3, WireType.Varint).int32(UNIT_COUNT); // unit
        w.tag(6, WireType.LengthDelimited).string(counts); // unit_name
        w.join();
      }
      w.tag(11, WireType.Varint).int32(EXPLICIT_ORDER); // child_ordering
      w.tag(12, WireType.Varint).int32(rank); // sibling_order_rank
      w.join();
    });
  }

  event(ns: number, { track, type, name, flow, ends, notes }: EventSpec): Uint8Array {
    const fresh = new BinaryWriter(); // interned_data
    const nameId = name === undefined ? 0 : intern(this.#names, name, fresh, 2); // event_names
    const noted = Object.entries(notes ?? {}).map(
      ([key, value]) => [intern(this.#noteNames, key, fresh, 3), value] as const, // debug_annotation_names
    );
    const interned = fresh.finish();
    return this.#packet((w) => {
      w.tag(8, WireType.Varint).uint64(ns); // timestamp
      if (interned.length > 0) w.tag(12, WireType.LengthDelimited).bytes(interned); // interned_data
      w.tag(13, WireType.Varint).uint32(NEEDS_INCREMENTAL_STATE); // sequence_flags
      w.tag(11, WireType.LengthDelimited).fork(); // track_event
      for (const [key, value] of noted) note(w, key, value);
      w.tag(9, WireType.Varint).int32(type); // type
      if (nameId !== 0) w.tag(10, WireType.Varint).uint64(nameId); // name_iid
      w.tag(11, WireType.Varint).uint64(track); // track_uuid
      if (flow !== undefined)
        w.tag(ends ? 48 : 47, WireType.LengthDelimited)
          .fork()
          .fixed64(flow)
          .join(); // terminating_flow_ids, flow_ids
      w.join();
    });
  }

  count(ns: number, track: number, value: number): Uint8Array {
    return this.#packet((w) => {
      w.tag(8, WireType.Varint).uint64(ns); // timestamp
      w.tag(11, WireType.LengthDelimited).fork(); // track_event
      w.tag(9, WireType.Varint).int32(COUNTER); // type
      w.tag(11, WireType.Varint).uint64(track); // track_uuid
      w.tag(30, WireType.Varint).int64(value); // counter_value
      w.join();
    });
  }

  #packet(fill: (writer: BinaryWriter) => void): Uint8Array {
    const w = new BinaryWriter();
    w.tag(1, WireType.LengthDelimited).fork(); // Trace.packet
    w.tag(10, WireType.Varint).uint32(SEQUENCE); // trusted_packet_sequence_id
    fill(w);
    if (this.#isFirst) {
      w.tag(13, WireType.Varint).uint32(INCREMENTAL_STATE_CLEARED); // sequence_flags
      w.tag(87, WireType.Varint).bool(true); // first_packet_on_sequence
      this.#isFirst = false;
    }
    w.join();
    return w.finish();
  }
}

/** @returns the name's number; where it is new, it is written into `fresh` as an entry of `field`. */
function intern(names: Map<string, number>, name: string, fresh: BinaryWriter, field: number): number {
  const known = names.get(name);
  if (known !== undefined) return known;
  const number = names.size + 1;
  names.set(name, number);
  fresh.tag(field, WireType.LengthDelimited).fork();
  fresh.tag(1, WireType.Varint).uint64(number); // iid
  fresh.tag(2, WireType.LengthDelimited).string(name); // name
  fresh.join();
  return number;
}

function note(w: BinaryWriter, key: number, value: number | string): void {
  w.tag(4, WireType.LengthDelimited).fork(); // debug_annotations
  w.tag(1, WireType.Varint).uint64(key); // name_iid
  if (typeof value === 'string')
    w.tag(6, WireType.LengthDelimited).string(value); // string_value
  else if (Number.isInteger(value))
    w.tag(4, WireType.Varint).int64(value); // int_value
  else w.tag(5, WireType.Bit64).double(value); // double_value
  w.join();
}
