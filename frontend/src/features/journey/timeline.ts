import type { JourneyStep } from '@/api/schema';

/** A step on the common axis: where its bar begins and how long it is, as fractions of the whole. */
export interface Bar {
  start: number;
  length: number;
  /** How the models' server divides it, as fractions of the bar; null where it does not tell. */
  split: { queue: number; compute: number } | null;
}

export interface TimelineRow {
  step: JourneyStep;
  /** Milliseconds from the start of the axis to its end; null: not recorded, or long before. */
  doneAfterMs: number | null;
  bar: Bar | null;
}

export interface Timeline {
  rows: TimelineRow[];
  /** When the post came into the stream; null: not recorded, so there is no axis. */
  startMs: number | null;
  spanMs: number;
}

/** A post is written wherever it comes from, perhaps days before: that is not on the axis, which begins with us. */
const BEFORE = 'written';

export function timelineOf(steps: readonly JourneyStep[]): Timeline {
  const ours = steps.filter((step) => step.name !== BEFORE);
  const spans = ours.map(spanOf).filter((span) => span !== null);
  if (spans.length === 0) {
    const rows = steps.map((step) => ({ step, doneAfterMs: null, bar: null }));
    return { rows, startMs: null, spanMs: 0 };
  }
  const startMs = Math.min(...spans.map(({ fromMs }) => fromMs));
  // All in the same instant is an axis of something, too.
  const spanMs = Math.max(Math.max(...spans.map(({ toMs }) => toMs)) - startMs, 0.001);
  const rows = steps.map((step) => {
    const span = step.name === BEFORE ? null : spanOf(step);
    if (span === null) return { step, doneAfterMs: null, bar: null };
    const start = (span.fromMs - startMs) / spanMs;
    const length = (span.toMs - span.fromMs) / spanMs;
    return { step, doneAfterMs: span.toMs - startMs, bar: { start, length, split: splitOf(step) } };
  });
  return { rows, startMs, spanMs };
}

/** A step ends at its moment, and began as much earlier as it took. */
function spanOf({ at, took_ms }: JourneyStep): { fromMs: number; toMs: number } | null {
  const toMs = at === null ? Number.NaN : preciseMs(at);
  return Number.isNaN(toMs) ? null : { fromMs: toMs - Math.max(0, took_ms ?? 0), toMs };
}

const FRACTION = /\.(\d+)/;

/** An instant as epoch milliseconds with their fraction: what Date drops is a step's whole length here. */
export function preciseMs(iso: string): number {
  const ms = Date.parse(iso.replace(FRACTION, ''));
  const digits = FRACTION.exec(iso)?.[1];
  return digits === undefined ? ms : ms + Number(`0.${digits}`) * 1_000;
}

/** Requests of the models' server wait and are computed; the means of both may be more than this call took. */
function splitOf({ took_ms, queue_ms, compute_ms }: JourneyStep): Bar['split'] {
  if (queue_ms == null || compute_ms == null) return null;
  const wholeMs = Math.max(took_ms ?? 0, queue_ms + compute_ms);
  return wholeMs > 0 ? { queue: queue_ms / wholeMs, compute: compute_ms / wholeMs } : null;
}
