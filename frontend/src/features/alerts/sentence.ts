import type { Alert } from '@/api/model';
import { formatMoment, formatPercent, formatTime, plural } from '@/lib/format';

/** "62 % of 148 posts were negative between 12:00 and 12:05 (limit 50 %)" */
export function describeAlert(alert: Alert, nowMs: number): string {
  const from = formatMoment(alert.windowStartMs, nowMs);
  const when = `between ${from} and ${formatTime(alert.windowEndMs)}`;
  if (alert.type === 'high_negative_ratio') {
    return (
      `${formatPercent(alert.actual)} of ${plural(alert.postCount, 'post')} ` +
      `${alert.postCount === 1 ? 'was' : 'were'} negative ${when} ` +
      `(limit ${formatPercent(alert.threshold)})`
    );
  }
  const name = alert.type.replaceAll('_', ' ');
  return `${name}: ${alert.actual} in ${plural(alert.postCount, 'post')} ${when} (limit ${alert.threshold})`;
}
