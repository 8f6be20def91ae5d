import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useConnection, useLiveMessage } from '@/api/live';
import type { Counts, Metrics } from '@/api/model';
import { distributionQuery } from '@/api/queries';
import type { TimeWindow } from '@/lib/timeWindow';

/**
 * The counts of each window, or null where they are not known yet. The WebSocket is the fresher source while it is
 * connected; before and after that it is REST, which has no last minute.
 */
export function useTotals(): Record<TimeWindow, Counts | null> {
  const [live, setLive] = useState<Metrics | null>(null);
  const isConnected = useConnection().kind === 'connected';
  const hour = useQuery(distributionQuery(1)).data?.counts;
  const day = useQuery(distributionQuery(24)).data?.counts;
  useLiveMessage('metrics_update', setLive);
  return pickTotals(live, isConnected, { last_hour: hour, last_24_hours: day });
}

type RestCounts = Partial<Record<TimeWindow, Counts | undefined>>;

export function pickTotals(
  live: Metrics | null,
  isConnected: boolean,
  rest: RestCounts,
): Record<TimeWindow, Counts | null> {
  const pick = (timeWindow: TimeWindow): Counts | null => {
    const [first, second] = isConnected
      ? [live?.[timeWindow], rest[timeWindow]]
      : [rest[timeWindow], live?.[timeWindow]];
    return first ?? second ?? null;
  };
  return {
    last_minute: pick('last_minute'),
    last_hour: pick('last_hour'),
    last_24_hours: pick('last_24_hours'),
  };
}
