import { createStore } from '@/lib/store';
import type { Arrival } from './feedStore';

/** Of so many of the latest posts. */
export const SAMPLES = 500;
/** What takes longer is no way to the screen but a tab that was asleep, or two clocks that differ. */
const MOST_MS = 60_000;
const TELL_EVERY_MS = 1_000;

export interface Percentiles {
  p50Ms: number;
  p95Ms: number;
}

export interface Latency {
  posts: number;
  /** From its arrival in the server's stream to the screen; null where the server does not say when that was. */
  total: Percentiles | null;
  /** The browser's part of it: from receiving the message on. */
  page: Percentiles;
}

interface Sample {
  totalMs: number | null;
  pageMs: number;
}

/** How long the latest posts took to the screen. Server and browser each go by their own clock. */
export class PaintTimes {
  readonly latency = createStore<Latency | null>(null);
  private samples: Sample[] = [];
  private toldAtMs = Number.NEGATIVE_INFINITY;

  readonly record = (arrivals: readonly Arrival[], nowMs = Date.now()): void => {
    for (const { post, receivedAtMs } of arrivals) {
      const pageMs = nowMs - receivedAtMs;
      const totalMs = post.queuedAtMs === null ? null : nowMs - post.queuedAtMs;
      if (pageMs < 0 || pageMs > MOST_MS) continue;
      if (totalMs !== null && (totalMs < pageMs || totalMs > MOST_MS)) continue;
      this.samples.push({ totalMs, pageMs });
    }
    if (nowMs - this.toldAtMs < TELL_EVERY_MS) return;
    this.toldAtMs = nowMs;
    this.samples = this.samples.slice(-SAMPLES);
    if (this.samples.length > 0) this.latency.set(summarize(this.samples));
  };
}

function summarize(samples: readonly Sample[]): Latency {
  const totals = samples.map(({ totalMs }) => totalMs).filter((ms) => ms !== null);
  return {
    posts: samples.length,
    total: totals.length > 0 ? percentiles(totals) : null,
    page: percentiles(samples.map(({ pageMs }) => pageMs)),
  };
}

/** By nearest rank: values that were really measured. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (fraction: number) =>
    sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
  return { p50Ms: at(0.5), p95Ms: at(0.95) };
}
