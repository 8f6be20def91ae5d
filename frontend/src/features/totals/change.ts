import type { Change } from '@/api/schema';
import { formatCount, formatPoints } from '@/lib/format';

const NBSP = '\u00a0';

const signed = (whole: number): string => `${whole > 0 ? '+' : '−'}${formatCount(Math.abs(whole))}`;

/** "+12 % on before", where before is as long a time as the one that is shown, and right ahead of it. */
export function describeGrowth(before: number, { total_percent }: Change): string {
  if (before === 0 || total_percent === null) return 'none before';
  const percent = Math.round(total_percent);
  if (percent === 0) return `as many as before (${formatCount(before)})`;
  return `${signed(percent)}${NBSP}% from ${formatCount(before)} before`;
}

/** How a share differs from the one before; empty where there is nothing to compare. */
export function describePoints(points: number | null): string {
  if (points === null) return '';
  return Math.round(points) === 0 ? 'as before' : formatPoints(points);
}
