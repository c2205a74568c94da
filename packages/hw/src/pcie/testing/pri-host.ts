import type { Words } from '@faultline/core/sync';

/** What a family differs in where the specifications leave it to the IOMMU. */
export interface PriHostTraits {
  /** A group's last request while the queue is full, or its overflow not acknowledged: answered Success by hardware, or not at all. */
  readonly onOverflow: 'success' | 'none';
  /** A group's last request while the IOMMU has page requests off for the function. */
  readonly onOff: 'invalid' | 'failure' | 'none';
  /** Whether requests without PASID reach the handler. If not, they must be answered, and nothing must be left. */
  readonly takesPlain: boolean;
}

export interface PriHostOptions {
  /** Outstanding Page Request Capacity of the function, and allocation: the host enables ATS and PRI with all of it. */
  readonly credits: number;
  /** Entries of the page request queue that can be in use at once, or fewer if the family cannot be that exact. */
  readonly entries: number;
  /** PASID whose address space the handler serves, besides that without PASID. */
  readonly pasid: number;
}

/** One IOMMU with its driver, a core or a stand-in for one, and a handler that answers everything Success, all on the calling thread. It
 * has one function with one PRI port; the suite plays the endpoint. */
export interface PriHost {
  readonly traits: PriHostTraits;
  readonly words: Words;
  /** Base of the PRI port (`initPriPort`), all PRG indices. */
  readonly portAt: number;
  /** Base of the function's registers (`initFunction`). */
  readonly functionAt: number;
  /** A line of words for the endpoint's statistics. */
  readonly statsAt: number;
  /** Runs the hardware alone, until it has taken whatever the endpoint has published. */
  runHardware(): void;
  /** Runs hardware, interrupt pump, handlers and responses until nothing moves. */
  settle(): void;
  /** Groups that handlers have been given since the start. */
  handled(): number;
  /** Groups that the core owes an answer, and requests that it has set aside. */
  pending(): number;
  partials(): number;
  /** Switches page requests off for the function as its driver does: PRI disabled at the function, source fenced, queue emptied, set-aside
   * requests discarded, pending groups answered, IOMMU side off. Runs to its end on this thread; wherever it waits for the endpoint it
   * calls `step` instead. It must not wait for the function to have stopped: a broken one never does. */
  priOff(step: () => void): void;
  /** Switches page requests on again: function reset if it has not stopped (calling `step`), PRI and IOMMU side on. */
  priOn(step: () => void): void;
  /** Throws if the host is not sound: a lock held, a queue frozen, an error latched. */
  verify(): void;
}

export type MakePriHost = (options: PriHostOptions) => PriHost;
