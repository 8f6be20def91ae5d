import { useQuery } from '@tanstack/react-query';
import { totalsQuery } from '@/api/counts';
import { SENTIMENTS } from '@/api/model';
import { Icon } from '@/components/Icon';
import { formatCount } from '@/lib/format';
import type { TimeRange } from '@/lib/timeRange';
import { describeGrowth } from './change';
import { SentimentTile } from './SentimentTile';
import './totals.css';

interface TotalsProps {
  range: TimeRange;
  source: string | null;
}

/** How many posts, and how they feel; each beside the same time before. */
export function Totals({ range, source }: TotalsProps) {
  const { data, error } = useQuery(totalsQuery(range.minutes, source));
  return (
    <section aria-label="Totals">
      {error !== null && (
        <p className="stale">
          <Icon name="alert" />
          {error.message}
        </p>
      )}
      <dl className="tiles">
        <div className="tile">
          <dt>
            Posts <span className="tile-span">{range.label}</span>
          </dt>
          <dd className="tile-number" data-testid="total-posts" data-value={data?.current.total}>
            {data === undefined ? '–' : formatCount(data.current.total)}
          </dd>
          <dd className="tile-note" data-testid="total-change">
            {data === undefined ? '\u00a0' : describeGrowth(data.previous.total, data.change)}
          </dd>
        </div>
        {SENTIMENTS.map((sentiment) => (
          <SentimentTile key={sentiment} sentiment={sentiment} totals={data} />
        ))}
      </dl>
    </section>
  );
}
