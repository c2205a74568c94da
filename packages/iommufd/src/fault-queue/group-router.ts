import {
  FAULT_DEVICE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_PASID,
  type GroupSink,
  HANDLE_DOMAIN,
  HANDLE_WORDS,
  type IopfSystem,
  REQUEST_WORDS,
} from '@faultline/core/iopf';

/** The sink of a thread that answers and never reports. */
export const reportsNothing: GroupSink = { queue: () => false, publish: () => {} };

/** A sink for domains of both kinds: groups of the domains routed here go to their fault consumers, all others to the work queue.
 * A HANDLER_CONSUMER domain without a route goes there too, where it is answered Invalid. One reporting thread owns it. */
export class GroupRouter implements GroupSink {
  readonly #system: IopfSystem;
  readonly #work: GroupSink;
  readonly #byDomain: GroupSink[];
  #routed: GroupSink[] = [];

  constructor(system: IopfSystem, work: GroupSink) {
    this.#system = system;
    this.#work = work;
    this.#byDomain = new Array<GroupSink>(system.config.domains + 1).fill(work);
  }

  /** Routes a domain's groups to a consumer. Before the domain is attached; several may share a consumer. @throws IommuError EINVAL */
  route(domain: number, consumer: GroupSink): void {
    this.#byDomain[this.#system.checkDomain('GroupRouter.route', domain)] = consumer;
    this.#collect();
  }

  /** Ends a route, once the domain is attached nowhere. @throws IommuError EINVAL */
  unroute(domain: number): void {
    this.publish();
    this.#byDomain[this.#system.checkDomain('GroupRouter.unroute', domain)] = this.#work;
    this.#collect();
  }

  queue(group: number, domain: number): boolean {
    return this.#byDomain[domain === 0 ? this.#attachedTo(group) : domain].queue(group, domain);
  }

  publish(): void {
    this.#work.publish();
    for (let i = 0; i < this.#routed.length; i++) this.#routed[i].publish();
  }

  #collect(): void {
    this.#routed = [...new Set(this.#byDomain)].filter((sink) => sink !== this.#work);
  }

  /** `locked` leaves the look-up to the worker, who comes after the route is chosen: so it is made here, once more than then.
   * The handle is in place until this thread's next quiescent state. @returns 0 when nothing is attached: the work queue's. */
  #attachedTo(group: number): number {
    const { words, requests, handles } = this.#system;
    const at = requests.objects + group * REQUEST_WORDS;
    const pasid = (words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) === 0 ? 0 : words[at + FAULT_PASID];
    const handle = this.#system.attachArray(words[at + FAULT_DEVICE]).load(pasid);
    return handle === 0 ? 0 : words[handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN];
  }
}
