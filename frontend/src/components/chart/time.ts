import { formatDate, formatSecond, formatTime } from '@/lib/format';
import type { TimeSpan } from './types';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Between two marks of the axis, in seconds. */
export const TIME_STEPS_S = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60),
  ...[1, 2, 3, 4, 6, 12].map((hours) => hours * 3600),
  ...[1, 2, 7, 14].map((days) => days * 86_400),
];

const isMidnight = (ms: number) => formatTime(ms) === '00:00';

/** A mark of the axis: no more than what tells it from its neighbours. */
export function formatMark(ms: number, stepMs: number): string {
  if (stepMs >= DAY_MS || (stepMs >= HOUR_MS && isMidnight(ms))) return formatDate(ms);
  return stepMs < MINUTE_MS ? formatSecond(ms) : formatTime(ms);
}

/** One time of many `stepMs` apart, by itself: with its date where they go over more than a day. */
export function formatPoint(ms: number, stepMs: number, wholeMs: number): string {
  const time = stepMs < MINUTE_MS ? formatSecond(ms) : formatTime(ms);
  return wholeMs > DAY_MS ? `${formatDate(ms)}, ${time}` : time;
}

/** Nearer cannot be told apart. */
const LEAST_STEPS = 3;

/** `span` seen from nearer or further away: `factor` of its length around the same middle, within `whole`. */
export function scaleSpan(
  span: TimeSpan,
  factor: number,
  whole: TimeSpan,
  stepMs: number,
): TimeSpan | null {
  const lengthMs = Math.max(LEAST_STEPS * stepMs, (span.toMs - span.fromMs) * factor);
  const middleMs = (span.fromMs + span.toMs) / 2;
  return within({ fromMs: middleMs - lengthMs / 2, toMs: middleMs + lengthMs / 2 }, whole);
}

/** `span` a quarter of its length earlier (-1) or later (1), within `whole`. */
export function moveSpan(span: TimeSpan, direction: -1 | 1, whole: TimeSpan): TimeSpan | null {
  const shiftMs = (direction * (span.toMs - span.fromMs)) / 4;
  return within({ fromMs: span.fromMs + shiftMs, toMs: span.toMs + shiftMs }, whole);
}

/** The span pushed into the whole; null where it is the whole. */
function within(span: TimeSpan, whole: TimeSpan): TimeSpan | null {
  const lengthMs = span.toMs - span.fromMs;
  if (lengthMs >= whole.toMs - whole.fromMs) return null;
  const fromMs = Math.min(Math.max(span.fromMs, whole.fromMs), whole.toMs - lengthMs);
  return { fromMs: Math.round(fromMs), toMs: Math.round(fromMs + lengthMs) };
}
