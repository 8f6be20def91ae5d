import { SENTIMENTS } from '@/api/model';
import { Segmented } from '@/components/Segmented';
import { formatCount } from '@/lib/format';
import { TIME_WINDOWS, type TimeWindow, windowPhrase } from '@/lib/timeWindow';
import { SentimentTile } from './SentimentTile';
import { useTotals } from './useTotals';
import './totals.css';

interface TotalsProps {
  timeWindow: TimeWindow;
  onTimeWindow: (timeWindow: TimeWindow) => void;
}

export function Totals({ timeWindow, onTimeWindow }: TotalsProps) {
  const totals = useTotals();
  const counts = totals[timeWindow];
  const baseline = timeWindow === 'last_24_hours' ? null : totals.last_24_hours;
  return (
    <section aria-labelledby="totals-title">
      <div className="totals-head">
        <h2 id="totals-title">How people feel</h2>
        <Segmented
          legend="Time window"
          segments={TIME_WINDOWS}
          value={timeWindow}
          onChange={onTimeWindow}
        />
      </div>
      <dl className="tiles">
        <div className="tile">
          <dt>Posts</dt>
          <dd className="tile-number" data-testid="total-posts" data-value={counts?.total}>
            {counts === null ? '–' : formatCount(counts.total)}
          </dd>
          <dd className="tile-note">{windowPhrase(timeWindow)}</dd>
        </div>
        {SENTIMENTS.map((sentiment) => (
          <SentimentTile
            key={sentiment}
            sentiment={sentiment}
            counts={counts}
            baseline={baseline}
          />
        ))}
      </dl>
    </section>
  );
}
