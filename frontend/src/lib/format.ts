const NBSP = '\u00a0';

const countFormat = new Intl.NumberFormat('en');
const timeFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dateFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const secondFormat = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const fullFormat = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export const formatCount = (count: number): string => countFormat.format(count);

/** `part` of `whole` as a fraction; nothing of nothing is nothing. */
export const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);

/** Whole per cent, except that what exists never reads as 0 %, nor what is incomplete as 100 %. */
export function formatPercent(fraction: number): string {
  const percent = fraction * 100;
  if (percent > 0 && percent < 1) return `<1${NBSP}%`;
  if (percent > 99 && percent < 100) return `>99${NBSP}%`;
  return `${Math.round(percent)}${NBSP}%`;
}

/** A change of a share, in whole percentage points. */
export function formatPoints(points: number): string {
  const whole = Math.round(points);
  if (whole === 0) return `±0${NBSP}pt`;
  const size = Math.abs(whole);
  return `${whole > 0 ? '+' : '−'}${formatCount(size)}${NBSP}${size === 1 ? 'pt' : 'pts'}`;
}

/** "84 ms", "1.2 s" */
export const formatDuration = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)}${NBSP}ms` : `${(ms / 1_000).toFixed(1)}${NBSP}s`;

export const formatTime = (ms: number): string => timeFormat.format(ms);
export const formatSecond = (ms: number): string => secondFormat.format(ms);
export const formatDate = (ms: number): string => dateFormat.format(ms);
export const formatFull = (ms: number): string => fullFormat.format(ms);

/** The time of day, with the date in front when it is not today's. */
export function formatMoment(ms: number, nowMs: number): string {
  const isToday = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  return isToday ? formatTime(ms) : `${dateFormat.format(ms)}, ${formatTime(ms)}`;
}

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** "now", "12 s", "4 min", "3 h", then the date. A clock that runs ahead of ours also reads "now". */
export function formatAge(ms: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - ms) / 1000);
  if (seconds < 5) return 'now';
  if (seconds < MINUTE_S) return `${seconds}${NBSP}s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}${NBSP}min`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)}${NBSP}h`;
  return dateFormat.format(ms);
}

export const plural = (count: number, noun: string): string =>
  `${formatCount(count)}${NBSP}${noun}${count === 1 ? '' : 's'}`;

export const capitalize = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
