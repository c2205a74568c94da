import { IommuError } from '@faultline/core/errors';

/** The name of the errno that a call is refused with; '' when it is not. */
export function refusalOf(body: () => unknown): string {
  try {
    body();
    return '';
  } catch (error) {
    if (error instanceof IommuError) return error.code;
    throw error;
  }
}
