import type { FeedShare } from '@/api/model';
import { formatCount } from '@/lib/format';

/** Says when the feed is a sample. The numbers change every second, so only that it is one is announced. */
export function FeedShareNote({ share }: { share: FeedShare | null }) {
  return (
    <>
      <span className="sr-only" role="status">
        {share !== null && 'The live feed shows a sample of the posts; counts are exact.'}
      </span>
      {share !== null && (
        <p className="feed-share" data-testid="feed-share">
          Showing {formatCount(perSecond(share.shown, share.seconds))} of{' '}
          {formatCount(perSecond(share.posts, share.seconds))} posts a second; counts are exact.
        </p>
      )}
    </>
  );
}

/** A whole number; what exists is at least one. */
function perSecond(count: number, seconds: number): number {
  if (count === 0) return 0;
  return Math.max(1, Math.round(seconds > 0 ? count / seconds : count));
}
