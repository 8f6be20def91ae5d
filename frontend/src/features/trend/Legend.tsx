import { type Bucket, SENTIMENTS } from '@/api/model';
import { capitalize, formatCount, formatTime } from '@/lib/format';
import { sum } from './buckets';

interface LegendProps {
  buckets: Bucket[];
  /** The bucket under the pointer; without one the legend sums up the whole range. */
  hovered: number | null;
  phrase: string;
}

/** Key and read-out in one line. Hidden from screen readers, which have the summary and the table. */
export function Legend({ buckets, hovered, phrase }: LegendProps) {
  const bucket = hovered === null ? undefined : buckets[hovered];
  const counts = bucket ?? sum(buckets);
  return (
    <div className="legend" aria-hidden="true">
      {SENTIMENTS.map((sentiment) => (
        <span key={sentiment} className="legend-item">
          <span className={`swatch fill-${sentiment}`} />
          {capitalize(sentiment)}
          <strong>{formatCount(counts[sentiment])}</strong>
        </span>
      ))}
      <span className="legend-when">{bucket ? formatTime(bucket.startMs) : phrase}</span>
    </div>
  );
}
