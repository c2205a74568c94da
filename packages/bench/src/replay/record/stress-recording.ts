import type { PlanParts } from '../../stress/plan.ts';
import { measureRecording } from './overhead.ts';
import { RequestRecorder } from './request-recorder.ts';
import { requestRegions } from './request-ring.ts';

/** What a run needs that records its requests. */
export function requestParts(requests: RequestRecorder | undefined): PlanParts {
  return requests === undefined ? {} : { regions: requestRegions() };
}

/** Opens the file that a stress run's requests go to, and tells afterwards what that cost. @param file undefined: nothing is recorded. */
export function openRecording(file: string | undefined): {
  readonly requests: RequestRecorder | undefined;
  readonly done: (note: (text: string) => void) => void;
} {
  if (file === undefined) return { requests: undefined, done: () => {} };
  const requests = new RequestRecorder(file, (device) => ({ name: `stress/${device}`, rid: device }));
  return {
    requests,
    done: (note) => {
      requests.close();
      const { written, lost, writingMs, cellMs } = requests;
      const eachNs = measureRecording();
      const share = (ms: number): string => `${((100 * ms) / Math.max(1, cellMs)).toFixed(1)} % of its time`;
      note(
        `recorded ${written} requests in ${file}, lost ${lost} for want of room: ${eachNs.toFixed(0)} ns each on the interrupt's thread ` +
          `(${share((eachNs * (written + lost)) / 1e6)}), ${((writingMs * 1e6) / Math.max(1, written)).toFixed(0)} ns each on the main thread (${share(writingMs)})`,
      );
    },
  };
}
