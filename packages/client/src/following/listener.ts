/**
 * Calling what an application has given us.
 *
 * Invariant: a listener that throws harms nobody else. Its error is thrown again on its own, where the host reports it.
 */
export function callListener(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
