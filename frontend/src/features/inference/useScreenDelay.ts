import { useRef, useState } from 'react';
import { useLiveMessage } from '@/api/live';

/** Enough for a steady middle, few enough to follow a change within a minute of few posts. */
const MOST = 100;
/** Nobody reads numbers that change faster. */
const EVERY_MS = 1_000;

export interface ScreenDelay {
  /** From the arrival in the stream to this page, by the clocks of both; null before the first post. */
  medianMs: number | null;
  count: number;
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

/** What this page itself measures, of the posts that it is sent while it is open. */
export function useScreenDelay(): ScreenDelay {
  const delays = useRef<number[]>([]);
  const shownAtMs = useRef(0);
  const [delay, setDelay] = useState<ScreenDelay>({ medianMs: null, count: 0 });
  useLiveMessage('new_post', ({ queuedAtMs }) => {
    if (queuedAtMs === null) return;
    const nowMs = Date.now();
    delays.current = [...delays.current, nowMs - queuedAtMs].slice(-MOST);
    if (nowMs - shownAtMs.current < EVERY_MS) return;
    shownAtMs.current = nowMs;
    setDelay({ medianMs: median(delays.current), count: delays.current.length });
  });
  return delay;
}
