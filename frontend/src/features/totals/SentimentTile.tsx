import type { Counts, Sentiment } from '@/api/model';
import { SentimentTag } from '@/components/SentimentTag';
import { formatCount, formatPercent, share } from '@/lib/format';
import { describeChange } from './change';

interface SentimentTileProps {
  sentiment: Sentiment;
  counts: Counts | null;
  /** The last 24 hours, to compare with; null where there is nothing to compare. */
  baseline: Counts | null;
}

export function SentimentTile({ sentiment, counts, baseline }: SentimentTileProps) {
  const fraction = counts === null ? 0 : share(counts[sentiment], counts.total);
  return (
    <div className="tile" data-testid={`total-${sentiment}`} data-value={counts?.[sentiment]}>
      <dt>
        <SentimentTag of={sentiment} />
      </dt>
      <dd className="tile-number">{counts === null ? '–' : formatPercent(fraction)}</dd>
      <dd className="tile-note">
        {counts === null ? ' ' : `${formatCount(counts[sentiment])} posts`}
        <span className="tile-change">{describeChange(sentiment, counts, baseline)}</span>
        <span className="tile-bar" aria-hidden="true">
          <span className={`fill fill-${sentiment}`} style={{ transform: `scaleX(${fraction})` }} />
        </span>
      </dd>
    </div>
  );
}
