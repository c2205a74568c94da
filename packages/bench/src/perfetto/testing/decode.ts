// A trace as protobufjs reads it: a decoder that shares nothing with what writes.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const own = new URL('track-event.proto', import.meta.url).pathname;

export interface TraceEvent {
  readonly ns: number;
  readonly sequence: number;
  readonly track: string;
  readonly type: string;
  readonly name: string;
  readonly flow: string;
  readonly ends: string;
  readonly value: number;
  readonly notes: Readonly<Record<string, unknown>>;
}

export interface DecodedTrace {
  /** Names of tracks, `parent/child`; each once. */
  readonly tracks: readonly string[];
  readonly events: readonly TraceEvent[];
}

interface Named {
  readonly iid: string;
  readonly name: string;
}
interface Packet {
  readonly timestamp?: string;
  readonly trustedPacketSequenceId?: number;
  readonly sequenceFlags?: number;
  readonly internedData?: { readonly eventNames?: Named[]; readonly debugAnnotationNames?: Named[] };
  readonly trackDescriptor?: { readonly uuid: string; readonly name: string; readonly parentUuid?: string };
  readonly trackEvent?: {
    readonly type: string;
    readonly nameIid?: string;
    readonly trackUuid: string;
    readonly counterValue?: string;
    readonly flowIds?: string[];
    readonly terminatingFlowIds?: string[];
    readonly debugAnnotations?: { nameIid: string; intValue?: string; stringValue?: string; doubleValue?: number }[];
  };
}

/** Perfetto's own definitions where the environment has them, or those that stand here. */
export function definitions(path: string = process.env.PERFETTO_TRACE_PROTO ?? own): protobuf.Root {
  const { root } = protobuf.parse(readFileSync(path, 'utf8'));
  root.resolveAll();
  return root;
}
export function ownDefinitions(): protobuf.Root {
  return definitions(own);
}

export function decodePackets(path: string): Packet[] {
  const type = definitions().lookupType('perfetto.protos.Trace');
  const trace = type.toObject(type.decode(readFileSync(path)), { longs: String, enums: String });
  return trace.packet as Packet[];
}

/** @throws when an event names a track or a name that has not come before it. */
export function decodeTrace(path: string): DecodedTrace {
  const tracks = new Map<string, string>();
  const names = new Map<string, string>();
  const noteNames = new Map<string, string>();
  const events: TraceEvent[] = [];
  for (const packet of decodePackets(path)) {
    for (const { iid, name } of packet.internedData?.eventNames ?? []) names.set(iid, name);
    for (const { iid, name } of packet.internedData?.debugAnnotationNames ?? []) noteNames.set(iid, name);
    const { trackDescriptor: descriptor, trackEvent: event } = packet;
    if (descriptor !== undefined) {
      const parent = descriptor.parentUuid === undefined ? '' : `${known(tracks, descriptor.parentUuid)}/`;
      tracks.set(descriptor.uuid, parent + descriptor.name);
    }
    if (event === undefined) continue;
    events.push({
      ns: Number(packet.timestamp),
      sequence: packet.trustedPacketSequenceId ?? 0,
      track: known(tracks, event.trackUuid),
      type: event.type.replace('TYPE_', ''),
      name: event.nameIid === undefined ? '' : known(names, event.nameIid),
      flow: (event.flowIds ?? []).join(),
      ends: (event.terminatingFlowIds ?? []).join(),
      value: Number(event.counterValue ?? 0),
      notes: Object.fromEntries(
        (event.debugAnnotations ?? []).map(({ nameIid, intValue, stringValue, doubleValue }) => [
          known(noteNames, nameIid),
          stringValue ?? doubleValue ?? Number(intValue),
        ]),
      ),
    });
  }
  return { tracks: [...tracks.values()], events };
}

function known(names: ReadonlyMap<string, string>, key: string): string {
  const name = names.get(key);
  if (name === undefined) throw new Error(`${key} is used before it is defined`);
  return name;
}
