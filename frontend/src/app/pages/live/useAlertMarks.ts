import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { marksQuery, rulesQuery } from '@/api/alerts';
import { useLiveMessage } from '@/api/live';
import type { Annotation, Threshold } from '@/components/chart/types';
import { useSlowClock } from '@/lib/clock';
import { formatPercent } from '@/lib/format';

interface Marks {
  alerts: Annotation[];
  thresholds: Threshold[];
}

/** What charts of sentiment and of emotions show of alerts: when one was raised, and at which share one would be. */
export function useAlertMarks(source: string | null): { sentiment: Marks; emotions: Marks } {
  const client = useQueryClient();
  useLiveMessage('alert', () => void client.invalidateQueries(marksQuery));
  const alerts = useQuery(marksQuery).data;
  const rules = useQuery(rulesQuery).data?.rules;
  const nowMs = useSlowClock();
  return useMemo(() => {
    const marks = (ofEmotions: boolean): Marks => ({
      alerts: (alerts ?? [])
        // Of one source alone, alerts about others say nothing.
        .filter((alert) => source === null || alert.source === null || alert.source === source)
        .filter(({ emotion }) => (emotion !== null) === ofEmotions)
        .map((alert) => ({
          fromMs: alert.triggeredAtMs,
          toMs: alert.resolvedAtMs ?? nowMs,
          label: alert.ruleName,
        })),
      thresholds: (rules ?? [])
        // Only where the chart shows just the posts that the rule counts.
        .filter((rule) => rule.enabled && rule.keyword === null && rule.source === source)
        .filter((rule) =>
          // Bars stand on the negative part: only of that one is the height the share.
          ofEmotions ? rule.emotion !== null : rule.sentiment === 'negative',
        )
        .map(({ threshold, emotion, sentiment }) => ({
          value: threshold,
          label: `Alert above ${formatPercent(threshold)} ${emotion ?? sentiment}`,
        })),
    });
    return { sentiment: marks(false), emotions: marks(true) };
  }, [alerts, rules, source, nowMs]);
}
