import type { Counts, Sentiment } from '@/api/model';
import { share } from '@/lib/format';

/** How the share differs from the one of the last 24 hours, in percentage points; empty without both. */
export function describeChange(
  sentiment: Sentiment,
  counts: Counts | null,
  baseline: Counts | null,
): string {
  if (!counts?.total || !baseline?.total) return '';
  const now = share(counts[sentiment], counts.total);
  const before = share(baseline[sentiment], baseline.total);
  const points = Math.round((now - before) * 100);
  if (points === 0) return 'as in 24 h';
  return `${points > 0 ? '+' : '−'}${Math.abs(points)} pt vs 24 h`;
}
