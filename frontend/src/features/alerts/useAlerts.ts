import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useLiveMessage } from '@/api/live';
import { ALERT_LIMIT, alertsQuery } from '@/api/queries';
import { mergeAlert } from './merge';

/** The recent alerts; new ones, and new states of old ones, come in through the WebSocket. */
export function useAlerts() {
  const client = useQueryClient();
  useLiveMessage('alert', (alert) => {
    client.setQueryData(alertsQuery.queryKey, (alerts = []) =>
      mergeAlert(alerts, alert, ALERT_LIMIT),
    );
  });
  return useQuery(alertsQuery);
}
