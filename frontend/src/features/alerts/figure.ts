import type { AlertDetail } from '@/api/alerts';
import type { Alert } from '@/api/model';
import type { TimeChartData } from '@/components/chart/types';
import { capitalize, formatCount, formatPercent, formatTime, plural } from '@/lib/format';

const MINUTE_MS = 60_000;
const SENTIMENT_COLORS: Record<string, string> = {
  positive: 'positive',
  neutral: 'neutral',
  negative: 'negative',
};

const isVolume = (alert: Alert): boolean => alert.kind === 'volume';

/** What the bars are of: "Negative", "Anger", "Posts". */
function seriesName(alert: Alert): string {
  if (isVolume(alert)) return 'Posts';
  return capitalize(alert.emotion ?? alert.sentiment ?? 'matching');
}

/** How long each bar is. */
export function bucketMs({ buckets }: AlertDetail): number {
  const [first, second] = buckets;
  return first && second ? second.startMs - first.startMs : MINUTE_MS;
}

/**
 * The share of matching posts, or for a volume their number, in each stretch of time; the limit across it, and the
 * window marked. A limit of posts in a window is drawn as what it is for one bar, were they spread evenly.
 */
export function alertChart(detail: AlertDetail): TimeChartData {
  const { alert, buckets } = detail;
  const stepMs = bucketMs(detail);
  const window = { fromMs: alert.windowStartMs, toMs: alert.windowEndMs, label: 'Window' };
  const shared = {
    kind: 'stacked' as const,
    times: buckets.map(({ startMs }) => startMs),
    stepMs,
    annotations: [window],
  };
  if (isVolume(alert)) {
    const limit = (alert.threshold * stepMs) / Math.max(stepMs, window.toMs - window.fromMs);
    return {
      ...shared,
      whole: true,
      format: formatCount,
      series: [
        {
          name: seriesName(alert),
          color: 'emotion',
          values: buckets.map(({ total }) => total),
          readout: `${formatCount(alert.actual)} in the window`,
        },
      ],
      thresholds: [{ value: limit, label: `limit, ${formatCount(alert.threshold)} in a window` }],
    };
  }
  return {
    ...shared,
    max: 1,
    format: formatPercent,
    series: [
      {
        name: seriesName(alert),
        color: SENTIMENT_COLORS[alert.emotion === null ? (alert.sentiment ?? '') : ''] ?? 'emotion',
        values: buckets.map(({ total, ratio }) => (total === 0 ? null : ratio)),
        readout: `${formatPercent(alert.actual)} in the window`,
      },
    ],
    thresholds: [{ value: alert.threshold, label: `limit ${formatPercent(alert.threshold)}` }],
  };
}

/** The chart in a sentence, for those who do not see it. */
export function summarizeAlert({ alert, buckets }: AlertDetail): string {
  const name = seriesName(alert).toLowerCase();
  if (isVolume(alert)) {
    const most = buckets.reduce((a, b) => (b.total > a.total ? b : a));
    return `Most posts at ${formatTime(most.startMs)}: ${plural(most.total, 'post')}.`;
  }
  const most = buckets.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  return (
    `Most ${name} at ${formatTime(most.startMs)}: ${formatPercent(most.ratio)} of ` +
    `${plural(most.total, 'post')}; the limit is ${formatPercent(alert.threshold)}.`
  );
}
