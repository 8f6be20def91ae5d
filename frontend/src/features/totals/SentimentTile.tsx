import type { Sentiment } from '@/api/model';
import type { Totals } from '@/api/schema';
import { SentimentTag } from '@/components/SentimentTag';
import { formatPercent, plural, share } from '@/lib/format';
import { describePoints } from './change';

interface SentimentTileProps {
  sentiment: Sentiment;
  totals: Totals | undefined;
}

export function SentimentTile({ sentiment, totals }: SentimentTileProps) {
  const count = totals?.current[sentiment];
  const fraction =
    totals === undefined ? 0 : share(totals.current[sentiment], totals.current.total);
  const points = totals?.change[`${sentiment}_points`] ?? null;
  return (
    <div className="tile" data-testid={`total-${sentiment}`} data-value={count}>
      <dt>
        <SentimentTag of={sentiment} />
      </dt>
      <dd className="tile-number">{count === undefined ? '–' : formatPercent(fraction)}</dd>
      <dd className="tile-note">
        <span>{count === undefined ? '\u00a0' : plural(count, 'post')}</span>
        <span className="tile-change" data-testid={`change-${sentiment}`}>
          {describePoints(points)}
        </span>
        <span className="tile-bar" aria-hidden="true">
          <span className={`fill fill-${sentiment}`} style={{ transform: `scaleX(${fraction})` }} />
        </span>
      </dd>
    </div>
  );
}
