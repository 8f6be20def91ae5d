import { type Bucket, SENTIMENTS } from '@/api/model';
import { formatPercent, formatTime, plural, share } from '@/lib/format';
import { sum } from './series';

/** The chart in two sentences, for those who do not see it. */
export function summarize(buckets: readonly Bucket[], phrase: string): string {
  const all = sum(buckets);
  if (all.total === 0) return `No posts in the ${phrase}.`;
  const peak = buckets.reduce((most, bucket) => (bucket.total > most.total ? bucket : most));
  const shares = SENTIMENTS.map(
    (sentiment) => `${formatPercent(share(all[sentiment], all.total))} ${sentiment}`,
  );
  return (
    `${plural(all.total, 'post')} in the ${phrase}: ${shares.join(', ')}. ` +
    `Most at ${formatTime(peak.startMs)}, with ${plural(peak.total, 'post')}.`
  );
}
