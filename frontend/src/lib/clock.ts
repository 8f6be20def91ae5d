import { useSyncExternalStore } from 'react';

/** One timer for each interval, however many components read it, and none when nobody does. */
function createClock(intervalMs: number) {
  let nowMs = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();

  const tick = () => {
    nowMs = Date.now();
    for (const listener of listeners) listener();
  };

  const subscribe = (listener: () => void) => {
    if (listeners.size === 0) {
      nowMs = Date.now();
      timer = setInterval(tick, intervalMs);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) clearInterval(timer);
    };
  };

  return () => useSyncExternalStore(subscribe, () => nowMs);
}

export const useSecondClock = createClock(1_000);
export const useSlowClock = createClock(5_000);
