import type { Subject } from '../costs/subject.ts';
import { faultFileSubjects } from './fault-file.ts';
import { areasSubjects } from './ioas-areas.ts';
import { ioctlSubjects } from './ioctl.ts';

/** What is measured of iommufd on one thread. */
export const iommufdSubjects: readonly Subject[] = [...faultFileSubjects, ...ioctlSubjects, ...areasSubjects];
