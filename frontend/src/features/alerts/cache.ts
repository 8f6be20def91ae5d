import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import {
  ALERTS_KEY,
  alertDetailQuery,
  RAISED_LIMIT,
  RECENT_LIMIT,
  raisedQuery,
  recentQuery,
} from '@/api/alerts';
import { useLiveMessage } from '@/api/live';
import type { Alert } from '@/api/model';
import { isRaised, mergeAlert } from './merge';

/** Puts the newest state of an alert wherever it shows: at once where it is known how, else by asking again. */
export function applyAlert(client: QueryClient, alert: Alert): void {
  client.setQueryData(recentQuery.queryKey, (alerts = []) =>
    mergeAlert(alerts, alert, RECENT_LIMIT),
  );
  client.setQueryData(raisedQuery.queryKey, (alerts = []) =>
    isRaised(alert)
      ? mergeAlert(alerts, alert, RAISED_LIMIT)
      : alerts.filter(({ id }) => id !== alert.id),
  );
  client.setQueryData(
    alertDetailQuery(alert.id).queryKey,
    (detail) => detail && { ...detail, alert },
  );
  for (const part of ['page', 'one', 'rules']) {
    void client.invalidateQueries({ queryKey: [...ALERTS_KEY, part] });
  }
}

/** Keeps every list of alerts in step with the WebSocket, while the component is there. */
export function useAlertMessages(): void {
  const client = useQueryClient();
  useLiveMessage('alert', (alert) => applyAlert(client, alert));
}
