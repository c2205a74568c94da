import type { Subject } from '../costs/subject.ts';
import { faultFileSubjects } from './fault-file.ts';
import { areasSubjects } from './ioas-areas.ts';
import { ioctlSubject } from './ioctl.ts';

/** What is measured of iommufd on one thread. */
export const iommufdSubjects: readonly Subject[] = [...faultFileSubjects, ioctlSubject, ...areasSubjects];
