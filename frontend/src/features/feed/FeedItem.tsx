import { memo } from 'react';
import type { Post } from '@/api/model';
import { Age } from '@/components/Age';
import { emotionEmoji, emotionName } from '@/components/emotions';
import { SentimentTag } from '@/components/SentimentTag';
import { formatPercent } from '@/lib/format';
import { PostText } from './PostText';

/** One post. Memoized: at 200 posts a second everything but the newcomers must stay untouched. */
export const FeedItem = memo(function FeedItem({ post }: { post: Post }) {
  const { id, source, author, createdAtMs, content, sentiment, confidence, emotion, model } = post;
  return (
    <li
      className={`post post-${sentiment}`}
      data-testid="feed-item"
      data-post-id={id}
      data-sentiment={sentiment}
      data-emotion={emotion ?? ''}
    >
      <p className="post-meta">
        <span className="badge">{source}</span>
        <span className="post-author">{author ?? 'unknown author'}</span>
        <Age ms={createdAtMs} />
      </p>
      <PostText text={content} />
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
      </p>
    </li>
  );
});
