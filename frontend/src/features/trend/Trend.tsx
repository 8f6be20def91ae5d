import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { type Bucket, SENTIMENTS } from '@/api/model';
import { aggregateQuery } from '@/api/queries';
import { TimeFigure } from '@/components/chart/TimeFigure';
import type { TimeChartData } from '@/components/chart/types';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { useSlowClock } from '@/lib/clock';
import { capitalize, formatCount } from '@/lib/format';
import { fillBuckets } from './buckets';
import { DEFAULT_RANGE, firstBucketMs, RANGES, type Range, type RangeId } from './ranges';
import { summarize } from './summary';
import './trend.css';

const SEGMENTS = RANGES.map(({ id, label }) => ({ value: id, label }));

export function Trend() {
  const [id, setId] = useState<RangeId>(DEFAULT_RANGE);
  const range = RANGES.find((candidate) => candidate.id === id) as Range;
  const query = useQuery(aggregateQuery(range));
  return (
    <Panel
      title="Sentiment over time"
      note={`posts per ${range.period}`}
      className="trend"
      actions={<Segmented legend="Time range" segments={SEGMENTS} value={id} onChange={setId} />}
    >
      <QueryView query={query}>{(rows) => <Figure rows={rows} range={range} />}</QueryView>
    </Panel>
  );
}

function Figure({ rows, range }: { rows: Bucket[]; range: Range }) {
  const { bucketMs, bucketCount } = range;
  // The window moves on with the clock, also while the server brings nothing new.
  const firstMs = firstBucketMs(useSlowClock(), bucketMs, bucketCount);
  const buckets = useMemo(
    () => fillBuckets(rows, firstMs, bucketMs, bucketCount),
    [rows, firstMs, bucketMs, bucketCount],
  );
  const data = useMemo(() => chartData(buckets, bucketMs), [buckets, bucketMs]);
  const isEmpty = buckets.every(({ total }) => total === 0);
  return (
    <TimeFigure
      label="Sentiment over time"
      data={data}
      phrase={range.phrase}
      summary={summarize(buckets, range)}
      note={isEmpty ? 'No posts in this time. New ones will show here.' : undefined}
      total
      testId="sentiment-chart"
    />
  );
}

/** Negative stands on the base line, where changes are easiest to see. */
function chartData(buckets: readonly Bucket[], stepMs: number): TimeChartData {
  return {
    kind: 'stacked',
    times: buckets.map(({ startMs }) => startMs),
    stepMs,
    series: SENTIMENTS.map((sentiment) => ({
      name: capitalize(sentiment),
      color: sentiment,
      values: buckets.map((bucket) => bucket[sentiment]),
    })),
    format: formatCount,
    whole: true,
  };
}
