import type { EmotionRow } from '@/api/counts';
import type { TimeChartData } from '@/components/chart/types';
import { EMOTIONS, emotionLook, emotionName } from '@/components/emotions';
import { formatPercent, share } from '@/lib/format';

export interface EmotionShare {
  label: string;
  count: number;
  fraction: number;
  /** Percentage points from the range; null where there is nothing to compare. */
  points: number | null;
}

interface EmotionCounts {
  emotions: readonly string[];
  rows: readonly { counts: readonly number[] }[];
}

function totals({ emotions, rows }: EmotionCounts): Map<string, number> {
  return new Map(
    emotions.map((label, place) => [
      label,
      rows.reduce((sum, { counts }) => sum + (counts[place] ?? 0), 0),
    ]),
  );
}

const sumOf = (counts: Map<string, number>) =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);

/** Every emotion that the model knows, and any others: what they are now, beside the whole range. */
export function emotionShares(now: EmotionCounts, range: EmotionCounts): EmotionShare[] {
  const [nowCounts, rangeCounts] = [totals(now), totals(range)];
  const [nowSum, rangeSum] = [sumOf(nowCounts), sumOf(rangeCounts)];
  const labels = new Set([...EMOTIONS, ...nowCounts.keys()]);
  return [...labels]
    .map((label) => {
      const count = nowCounts.get(label) ?? 0;
      const fraction = share(count, nowSum);
      const before = share(rangeCounts.get(label) ?? 0, rangeSum);
      const points = nowSum > 0 && rangeSum > 0 ? 100 * (fraction - before) : null;
      return { label, count, fraction, points };
    })
    .sort((a, b) => b.count - a.count);
}

/** A line for each emotion: its share of the posts. Times without posts are gaps. */
export function emotionData(
  emotions: readonly string[],
  aligned: readonly { startMs: number; row: EmotionRow | undefined }[],
  stepMs: number,
): TimeChartData {
  const sums = aligned.map(({ row }) => row?.counts.reduce((a, b) => a + b, 0) ?? 0);
  const all = sums.reduce((a, b) => a + b, 0);
  return {
    kind: 'lines',
    times: aligned.map(({ startMs }) => startMs),
    stepMs,
    series: emotions.map((label, place) => ({
      name: emotionName(label),
      ...emotionLook(label),
      values: aligned.map(({ row }, index) => {
        const sum = sums[index] ?? 0;
        return row === undefined || sum === 0 ? null : (row.counts[place] ?? 0) / sum;
      }),
      readout: formatPercent(
        share(
          aligned.reduce((sum, { row }) => sum + (row?.counts[place] ?? 0), 0),
          all,
        ),
      ),
    })),
    format: formatPercent,
    percent: true,
  };
}
