import type { HistoryPoint } from '@/api/schema';
import type { ChartSeries, TimeChartData } from '@/components/chart/types';
import { formatCount } from '@/lib/format';
import { readInstant } from '@/lib/read';
import { formatMs, formatRate, formatShort } from '@/lib/units';

const STEP_MS = 5_000;

type Measure = Exclude<keyof HistoryPoint, 'at'>;

interface Line {
  name: string;
  measure: Measure;
  color: string;
  dash?: readonly number[];
}

export interface HistoryChart {
  id: string;
  title: string;
  /** What it shows and what a bad course looks like, in a line. */
  about: string;
  lines: readonly Line[];
  format: (value: number) => string;
}

/** What of the last quarter of an hour is drawn. */
export const HISTORY_CHARTS: readonly HistoryChart[] = [
  {
    id: 'latency',
    title: 'Arrival to sent',
    about: 'All three rise together: posts wait. Only p99 rises: a pause.',
    format: formatMs,
    lines: [
      { name: 'p50', measure: 'p50_ms', color: 'chart-1' },
      { name: 'p95', measure: 'p95_ms', color: 'chart-2', dash: [8, 4] },
      { name: 'p99', measure: 'p99_ms', color: 'chart-4', dash: [2, 3] },
    ],
  },
  {
    id: 'throughput',
    title: 'Throughput',
    about: 'Two inferences for each post: one of each model.',
    format: formatRate,
    lines: [
      { name: 'Posts', measure: 'posts_per_s', color: 'chart-1' },
      { name: 'Inferences', measure: 'inferences_per_s', color: 'chart-2', dash: [8, 4] },
    ],
  },
  {
    id: 'triton',
    title: 'Time in Triton',
    about: 'A queue above compute: more comes than the models do.',
    format: formatMs,
    lines: [
      { name: 'Compute', measure: 'compute_ms', color: 'chart-1' },
      { name: 'Queue', measure: 'queue_ms', color: 'chart-2', dash: [8, 4] },
    ],
  },
  {
    id: 'batch',
    title: 'Mean batch',
    about: 'Texts computed together. It rises with the load.',
    format: formatShort,
    lines: [{ name: 'Texts', measure: 'mean_batch', color: 'chart-1' }],
  },
  {
    id: 'lag',
    title: 'Lag of the stream',
    about: 'Posts that no worker has read. It should come back to zero.',
    format: formatCount,
    lines: [{ name: 'Posts', measure: 'lag', color: 'chart-1' }],
  },
];

export function chartData(chart: HistoryChart, history: readonly HistoryPoint[]): TimeChartData {
  const series = chart.lines.map(
    ({ name, measure, color, dash }): ChartSeries => ({
      name,
      color,
      values: history.map((point) => point[measure]),
      ...(dash && { dash }),
    }),
  );
  return {
    kind: 'lines',
    times: history.map(({ at }) => readInstant(at) ?? 0),
    stepMs: STEP_MS,
    series,
    format: chart.format,
    whole: chart.id === 'lag',
  };
}

/** The chart in a sentence, for those who do not see it. */
export function summarizeHistory(chart: HistoryChart, history: readonly HistoryPoint[]): string {
  const parts = chart.lines.map(({ name, measure }) => {
    const values = history.map((point) => point[measure]).filter((value) => value !== null);
    if (values.length === 0) return `${name}: nothing measured`;
    const last = chart.format(values.at(-1) ?? 0);
    return `${name}: ${last} now, ${chart.format(Math.max(...values))} at most`;
  });
  return `${parts.join('; ')}. ${chart.about}`;
}
