// What the device that misbehaves is made of: a function of its own, behind the others.
import type { Clock, Words } from '@faultline/core/sync';
import { Endpoint, type EndpointQueue, type Misbehaviour } from '@faultline/hw/pcie';
import { PASID, type PortPlaces, portBaseOf } from './family.ts';

/** Pages that it asks for in a round. */
export const HOSTILE_PAGES = 64;
/** Requests that it is allowed to have outstanding: fewer, so that it has something to exceed. */
export const HOSTILE_CREDITS = 16;
/** What its link has room for: all that a storm leaves unanswered, twice over. */
export const HOSTILE_PORT_CREDITS = 256;
const GROUP_PAGES = 4;
/** Of what it has occasion to do wrong, it does each second time. */
const EVERY = 2;

export interface Hostile {
  readonly endpoint: Endpoint;
  readonly queue: EndpointQueue;
}

/** @param port number of its port: one more than the good threads of the cell. @param device its number. */
export function openHostile(
  words: Words,
  places: PortPlaces,
  port: number,
  device: number,
  misbehave: Misbehaviour,
  clock: Clock,
): Hostile {
  const endpoint = new Endpoint(words, {
    portAt: portBaseOf(places, port),
    functionAt: places.functions + (device - 1) * places.functionWords,
    statsAt: places.endpoints + port * places.endpointWords,
    clock,
    groupPages: GROUP_PAGES,
    interleave: 2,
    misbehave: { [misbehave]: EVERY },
  });
  return { endpoint, queue: endpoint.openQueue(PASID, HOSTILE_PAGES) };
}
