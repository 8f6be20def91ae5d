import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Bucket } from '@/api/model';
import { aggregateQuery } from '@/api/queries';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { useSlowClock } from '@/lib/clock';
import { fillBuckets } from './buckets';
import { Chart } from './Chart';
import { ChartTable } from './ChartTable';
import { Legend } from './Legend';
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
  const [hovered, setHovered] = useState<number | null>(null);
  // The window moves on with the clock, also while the server brings nothing new.
  const firstMs = firstBucketMs(useSlowClock(), bucketMs, bucketCount);
  const buckets = useMemo(
    () => fillBuckets(rows, firstMs, bucketMs, bucketCount),
    [rows, firstMs, bucketMs, bucketCount],
  );
  return (
    <figure className="trend-figure" data-testid="sentiment-chart">
      <Legend buckets={buckets} hovered={hovered} phrase={range.phrase} />
      <Chart buckets={buckets} bucketMs={bucketMs} onHover={setHovered} />
      <figcaption className="sr-only">{summarize(buckets, range)}</figcaption>
      <ChartTable buckets={buckets} period={range.period} />
    </figure>
  );
}
