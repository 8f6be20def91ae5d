import type { Bucket } from '@/api/model';
import { formatPercent, formatTime, plural, share } from '@/lib/format';
import { sum } from './buckets';
import type { Range } from './ranges';

/** The chart in two sentences, for those who do not see it. */
export function summarize(buckets: readonly Bucket[], range: Pick<Range, 'phrase'>): string {
  const all = sum(buckets);
  if (all.total === 0) return `No posts in the ${range.phrase}.`;
  const peak = buckets.reduce((most, bucket) => (bucket.total > most.total ? bucket : most));
  const shares = (['positive', 'neutral', 'negative'] as const).map(
    (sentiment) => `${formatPercent(share(all[sentiment], all.total))} ${sentiment}`,
  );
  return (
    `${plural(all.total, 'post')} in the ${range.phrase}: ${shares.join(', ')}. ` +
    `Most at ${formatTime(peak.startMs)}, with ${plural(peak.total, 'post')}.`
  );
}
