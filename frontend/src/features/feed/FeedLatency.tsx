import { formatDuration } from '@/lib/format';
import { type Store, useStore } from '@/lib/store';
import type { Latency, Percentiles } from './paintTimes';

const EXPLANATION =
  'From the arrival in the stream, by the clock of the server, to the screen, by the clock of this browser. ' +
  'In brackets: from the message on, which is the part of this page.';

/** How long the latest posts took to the screen: half of them at most the first time, 95 of 100 at most the second. */
export function FeedLatency({ latency }: { latency: Store<Latency | null> }) {
  const now = useStore(latency);
  if (now === null) return null;
  const { total, page, posts } = now;
  return (
    <p
      className="feed-latency"
      title={EXPLANATION}
      data-testid="feed-latency"
      data-posts={posts}
      data-p50={total?.p50Ms}
      data-p95={total?.p95Ms}
    >
      {total === null ? (
        <>In this page: {text(page)}</>
      ) : (
        <>
          Arrival to screen: {text(total)} <span>(this page: {text(page)})</span>
        </>
      )}
    </p>
  );
}

const text = ({ p50Ms, p95Ms }: Percentiles) =>
  `p50 ${formatDuration(p50Ms)}, p95 ${formatDuration(p95Ms)}`;
