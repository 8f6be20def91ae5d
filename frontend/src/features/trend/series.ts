import { type Bucket, type Counts, SENTIMENTS } from '@/api/model';
import type { TimeChartData } from '@/components/chart/types';
import { capitalize, formatCount, formatPercent, share } from '@/lib/format';

export type Measure = 'count' | 'share';

const NONE: Counts = { positive: 0, neutral: 0, negative: 0, total: 0 };

/** Buckets of which the server said nothing had no posts. */
export const complete = (aligned: { startMs: number; row: Bucket | undefined }[]): Bucket[] =>
  aligned.map(({ startMs, row }) => ({ ...(row ?? NONE), startMs }));

export function sum(buckets: readonly Counts[]): Counts {
  return buckets.reduce(
    (a, b) => ({
      positive: a.positive + b.positive,
      neutral: a.neutral + b.neutral,
      negative: a.negative + b.negative,
      total: a.total + b.total,
    }),
    NONE,
  );
}

/** Bars of posts, or of their shares. Negative stands on the base line, where changes are easiest to see. */
export function trendData(
  buckets: readonly Bucket[],
  stepMs: number,
  measure: Measure,
): TimeChartData {
  const all = sum(buckets);
  const common = { kind: 'stacked', times: buckets.map(({ startMs }) => startMs), stepMs } as const;
  if (measure === 'count') {
    const series = SENTIMENTS.map((sentiment) => ({
      name: capitalize(sentiment),
      color: sentiment,
      values: buckets.map((bucket) => bucket[sentiment]),
    }));
    return { ...common, series, format: formatCount, whole: true };
  }
  const series = SENTIMENTS.map((sentiment) => ({
    name: capitalize(sentiment),
    color: sentiment,
    // Of no posts there is no share: a gap, which is not 0 %.
    values: buckets.map(({ total, ...counts }) => (total > 0 ? counts[sentiment] / total : null)),
    readout: all.total === 0 ? '–' : formatPercent(share(all[sentiment], all.total)),
  }));
  return { ...common, series, format: formatPercent, percent: true, max: 1 };
}
