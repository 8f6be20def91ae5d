import { memo } from 'react';
import type { Post } from '@/api/model';
import { Age } from '@/components/Age';
import { emotionEmoji, emotionName } from '@/components/emotions';
import { JourneyLink } from '@/components/JourneyLink';
import { SentimentTag } from '@/components/SentimentTag';
import { formatPercent } from '@/lib/format';
import { PostText } from './PostText';

interface FeedItemProps {
  post: Post;
  index: number;
  count: number;
  startPx: number;
  isNew: boolean;
  isOpen: boolean;
  onToggle: (id: string) => void;
  measure: (element: HTMLElement | null) => void;
}

/** One post at its place. Place and number change with every arrival, what is in it does not. */
export function FeedItem(props: FeedItemProps) {
  const { post, index, count, startPx, isNew, isOpen, onToggle, measure } = props;
  const { id, source, author, sentiment, emotion } = post;
  return (
    <article
      ref={measure}
      className={`post post-${sentiment}${isNew ? ' post-new' : ''}`}
      style={{ transform: `translateY(${startPx}px)` }}
      aria-label={`${author ?? 'unknown author'}, ${source}`}
      aria-posinset={index + 1}
      aria-setsize={count}
      tabIndex={-1}
      data-index={index}
      data-testid="feed-item"
      data-post-id={id}
      data-sentiment={sentiment}
      data-emotion={emotion ?? ''}
    >
      <FeedPost post={post} isOpen={isOpen} onToggle={onToggle} />
    </article>
  );
}

/** Memoized: at 200 posts a second everything but the newcomers must stay untouched. */
const FeedPost = memo(function FeedPost(
  props: Pick<FeedItemProps, 'post' | 'isOpen' | 'onToggle'>,
) {
  const { id, source, author, createdAtMs, content, sentiment, confidence, emotion, model } =
    props.post;
  return (
    <>
      <p className="post-meta">
        <span className="badge">{source}</span>
        <span className="post-author">{author ?? 'unknown author'}</span>
        <Age ms={createdAtMs} />
      </p>
      <PostText text={content} isOpen={props.isOpen} onToggle={() => props.onToggle(id)} />
      <p className="post-verdict">
        <SentimentTag of={sentiment}>
          <span className="post-confidence" title={model ?? undefined}>
            {formatPercent(confidence)}
          </span>
        </SentimentTag>
        {emotion !== null && (
          <span>
            <span className="emoji" aria-hidden="true">
              {emotionEmoji(emotion)}
            </span>{' '}
            {emotionName(emotion)}
          </span>
        )}
        <JourneyLink postId={id} className="post-journey" />
      </p>
    </>
  );
});
