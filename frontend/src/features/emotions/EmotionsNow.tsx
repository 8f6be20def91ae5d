import { useQuery } from '@tanstack/react-query';
import { emotionsQuery } from '@/api/counts';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { type Buckets, rangeBuckets, TIME_RANGES, type TimeRange } from '@/lib/timeRange';
import { EmotionBar } from './EmotionBar';
import { emotionShares } from './shares';
import './emotions.css';

const NOW = TIME_RANGES[0] as TimeRange;
const NOW_BUCKETS: Buckets = rangeBuckets(NOW);

interface EmotionsNowProps {
  range: TimeRange;
  source: string | null;
}

/** What people feel in these minutes, beside what they felt in the whole range. */
export function EmotionsNow({ range, source }: EmotionsNowProps) {
  const query = useQuery(emotionsQuery(NOW_BUCKETS, source));
  const whole = useQuery(emotionsQuery(rangeBuckets(range), source)).data;
  const isCompared = range.id !== NOW.id;
  return (
    <Panel
      title="Emotions now"
      note={isCompared ? `${NOW.phrase}, against ${range.label}` : NOW.phrase}
    >
      <QueryView query={query}>
        {(now) => {
          const nothing = { emotions: [], rows: [] };
          const rows = emotionShares(now, isCompared ? (whole ?? nothing) : nothing);
          const most = rows[0]?.fraction ?? 0;
          return most === 0 ? (
            <State title="No posts now" text="Emotions show as soon as posts have been read." />
          ) : (
            <ul className="emotions">
              {rows.map((row) => (
                <EmotionBar key={row.label} row={row} most={most} />
              ))}
            </ul>
          );
        }}
      </QueryView>
    </Panel>
  );
}
