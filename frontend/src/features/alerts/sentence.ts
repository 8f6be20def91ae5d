import type { Alert } from '@/api/model';
import { formatCount, formatMoment, formatPercent, formatTime, plural } from '@/lib/format';

/** "62 % of 148 posts from reddit with “update” were negative between 12:00 and 12:05 (limit 50 %)" */
export function describeAlert(alert: Alert, nowMs: number): string {
  const posts = `${plural(alert.postCount, 'post')}${describeScope(alert)}`;
  const from = formatMoment(alert.windowStartMs, nowMs);
  const when = `between ${from} and ${formatTime(alert.windowEndMs)}`;
  switch (alert.kind) {
    case 'volume':
      return `${posts} came ${when} (limit ${formatCount(alert.threshold)})`;
    case 'sentiment_ratio':
    case 'emotion_ratio':
      return (
        `${beside(alert.actual, alert.threshold)} of ${posts} ${describeMatch(alert)} ${when} ` +
        `(limit ${beside(alert.threshold, alert.actual)})`
      );
    default: {
      const name = alert.type.replaceAll('_', ' ');
      return `${name}: ${alert.actual} in ${posts} ${when} (limit ${alert.threshold})`;
    }
  }
}

/** A share in whole per cent; with a digit more where it would read like the other, which it is not. */
function beside(ratio: number, other: number): string {
  const isAlike = ratio !== other && formatPercent(ratio) === formatPercent(other);
  return isAlike ? `${Number((ratio * 100).toPrecision(3))}\u00a0%` : formatPercent(ratio);
}

interface Scope {
  source: string | null;
  keyword: string | null;
}

/** " from reddit with “update”"; empty where any post counts. */
export const describeScope = ({ source, keyword }: Scope): string =>
  (source === null ? '' : ` from ${source}`) + (keyword === null ? '' : ` with “${keyword}”`);

function describeMatch(alert: Alert): string {
  if (alert.kind === 'emotion_ratio') return `showed ${alert.emotion ?? 'an emotion'}`;
  return `${alert.postCount === 1 ? 'was' : 'were'} ${alert.sentiment ?? 'matching'}`;
}
