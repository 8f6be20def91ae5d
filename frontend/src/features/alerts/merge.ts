import type { Alert } from '@/api/model';

/** What nobody resolved for this long was left behind by a stopped monitor, and is history rather than news. */
export const RECENT_MS = 60 * 60_000;

export const isRaised = (alert: Alert, nowMs: number): boolean =>
  alert.resolvedAtMs === null && nowMs - alert.triggeredAtMs < RECENT_MS;

/** The list with this alert in it, once and in its newest version; newest first and at most `limit` long. */
export function mergeAlert(alerts: readonly Alert[], alert: Alert, limit: number): Alert[] {
  return [alert, ...alerts.filter(({ id }) => id !== alert.id)]
    .sort((a, b) => b.triggeredAtMs - a.triggeredAtMs)
    .slice(0, limit);
}
