import type { Alert } from '@/api/model';

export const isRaised = (alert: Alert): boolean => alert.resolvedAtMs === null;

/** Raised, and nobody has said that they look after it. */
export const isUnattended = (alert: Alert): boolean =>
  isRaised(alert) && alert.acknowledgedAtMs === null;

/** The list with this alert in it, once and in its newest version; newest first and at most `limit` long. */
export function mergeAlert(alerts: readonly Alert[], alert: Alert, limit: number): Alert[] {
  return [alert, ...alerts.filter(({ id }) => id !== alert.id)]
    .sort((a, b) => b.triggeredAtMs - a.triggeredAtMs)
    .slice(0, limit);
}

/** What nobody looks after comes first; newest first within. */
export const byAttention = (alerts: readonly Alert[]): Alert[] =>
  alerts.toSorted(
    (a, b) =>
      Number(isUnattended(b)) - Number(isUnattended(a)) || b.triggeredAtMs - a.triggeredAtMs,
  );
