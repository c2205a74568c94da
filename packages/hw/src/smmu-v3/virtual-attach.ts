import { IommuError } from '@faultline/core/errors';
import type { NestedDomain, SmmuDomain } from './domains.ts';
import { nestedVsmmu } from './virtual/nested-domain.ts';
import { vsmmuVmid } from './virtual/vsmmu.ts';
import type { VStreams } from './virtual/vstream.ts';

/** What a master of a virtual side is attached by. */
export interface MasterVirtual {
  /** This thread's own. */
  readonly streams: VStreams;
  /** Waits until every event that is in the queue has been routed: SmmuDriver.fenceEventQueue(). */
  fence(): Promise<void>;
}

/** One master's steps on the virtual side, for {@link SmmuMaster}: none of them does anything without a virtual side. In the order of an attach:
 * prepare, clear, the entry, fence, commit; or, once the entry is what it was, restore. abort ends either where it stands.
 * Context of all: the device's group mutex. */
export class VirtualAttach {
  readonly #virtual: MasterVirtual | undefined;
  readonly #device: number;

  constructor(virtual: MasterVirtual | undefined, device: number) {
    this.#virtual = virtual;
    this.#device = device;
  }

  /** @throws IommuError EINVAL a nested domain of another SMMU's virtual side, of none where there is one, or over another stage 2 than its
   * vSMMU's; ENOENT no such domain, or one that translates and the device has no vdevice in its vSMMU. Nothing was changed then. */
  prepare(domain: SmmuDomain): void {
    const streams = this.#virtual?.streams;
    if (domain.kind === 'nested') checkVirtual(domain, streams);
    if (streams === undefined) return;
    const number = domain.kind === 'nested' && domain.virtual !== undefined ? domain.virtual.domain : 0;
    if (streams.prepare(this.#device, number) !== 0)
      throw new IommuError('ENOENT', 'attach', 'virtual.domain', number, 'is gone, or its vSMMU has no vdevice here');
  }

  clear(): void {
    this.#virtual?.streams.clear(this.#device);
  }

  /** Only where the stream is about to be a guest's: what the queue still holds is not that guest's. @throws IommuError ETIMEDOUT */
  async fence(): Promise<void> {
    if (this.#virtual?.streams.gives(this.#device) === true) await this.#virtual.fence();
  }

  commit(): void {
    this.#virtual?.streams.commit(this.#device);
  }

  /** @throws IommuError ETIMEDOUT: the stream is nobody's then, and {@link abort} is due. */
  async restore(): Promise<void> {
    if (this.#virtual === undefined) return;
    if (this.#virtual.streams.givesBack(this.#device)) await this.#virtual.fence();
    this.#virtual.streams.restore(this.#device);
  }

  abort(): void {
    this.#virtual?.streams.abort(this.#device);
  }
}

function checkVirtual({ virtual, parent }: NestedDomain, streams: VStreams | undefined): void {
  const call = 'attach';
  if (virtual?.area !== streams?.area)
    throw new IommuError('EINVAL', call, 'virtual', virtual?.domain, 'is not of the virtual side of this SMMU');
  if (virtual === undefined) return;
  const vmid = vsmmuVmid(virtual.area, nestedVsmmu(virtual.area, virtual.domain));
  if (parent.stage2?.vmid !== vmid)
    throw new IommuError(
      'EINVAL',
      call,
      'parent',
      parent.stage2?.vmid,
      `is not the stage 2 of its vSMMU, VMID ${vmid}`,
    );
}
