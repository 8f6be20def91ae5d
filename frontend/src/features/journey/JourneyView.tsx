import { SENTIMENTS } from '@/api/model';
import type { Journey, Post } from '@/api/schema';
import { EmotionTag } from '@/components/EmotionTag';
import { Scroller } from '@/components/Scroller';
import { SentimentTag } from '@/components/SentimentTag';
import { formatFull, formatPercent, plural } from '@/lib/format';
import { formatDuration } from './duration';
import { StepTable } from './StepTable';
import { timelineOf } from './timeline';

/** Longer texts scroll by themselves: the steps should be in sight. */
const LONG_CHARS = 500;

export function JourneyView({ journey }: { journey: Journey }) {
  const { post, steps, batch, total_ms } = journey;
  const timeline = timelineOf(steps);
  return (
    <>
      <PostCard post={post} />
      <dl className="journey-facts">
        <div>
          <dt>From the stream to the browsers</dt>
          <dd data-testid="journey-total">
            {total_ms === null ? 'not recorded' : formatDuration(total_ms)}
          </dd>
        </div>
        <div>
          <dt>Analysed</dt>
          <dd>
            {batch === null ? (
              'not recorded'
            ) : (
              <>
                {batch.posts > 1 ? `in a batch of ${plural(batch.posts, 'post')}` : 'alone'}
                <span className="journey-worker">by {batch.worker}</span>
              </>
            )}
          </dd>
        </div>
      </dl>
      <StepTable timeline={timeline} />
    </>
  );
}

function PostCard({ post }: { post: Post }) {
  const { sentiment } = post;
  const label = SENTIMENTS.find((each) => each === sentiment?.label);
  return (
    <blockquote className={`journey-post${label === undefined ? '' : ` journey-post-${label}`}`}>
      <p className="journey-meta">
        <span className="journey-source">{post.source}</span>
        <span>{post.author || 'unknown author'}</span>
        <span>{formatFull(Date.parse(post.created_at))}</span>
      </p>
      {post.content.length > LONG_CHARS ? (
        <Scroller label="Text of the post" className="journey-text journey-text-long">
          {post.content}
        </Scroller>
      ) : (
        <p className="journey-text">{post.content}</p>
      )}
      {sentiment && label !== undefined ? (
        <p className="journey-meta">
          <SentimentTag of={label}>
            <span className="journey-light">{formatPercent(sentiment.confidence)}</span>
          </SentimentTag>
          {sentiment.emotion && (
            <EmotionTag of={sentiment.emotion} confidence={sentiment.emotion_confidence} />
          )}
          <span>
            {sentiment.model_name}
            {sentiment.model_version > 0 && `, version ${sentiment.model_version}`}
          </span>
        </p>
      ) : (
        <p className="journey-meta">not analysed yet</p>
      )}
    </blockquote>
  );
}
