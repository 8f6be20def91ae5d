import { memo } from 'react';
import { SENTIMENTS } from '@/api/model';
import type { Post } from '@/api/schema';
import { Age } from '@/components/Age';
import { EmotionTag } from '@/components/EmotionTag';
import { JourneyLink } from '@/components/JourneyLink';
import { SentimentTag } from '@/components/SentimentTag';
import { formatFull, formatPercent } from '@/lib/format';
import { FoundText } from './FoundText';

interface ResultItemProps {
  post: Post;
  marked: string | null;
}

export const ResultItem = memo(function ResultItem({ post, marked }: ResultItemProps) {
  const { post_id, source, author, content, sentiment } = post;
  const label = SENTIMENTS.find((each) => each === sentiment?.label);
  return (
    <article
      className={`explore-post${label === undefined ? '' : ` explore-post-${label}`}`}
      data-testid="found-post"
      data-post-id={post_id}
    >
      <p className="explore-meta">
        <span className="explore-source">{source}</span>
        <span className="explore-author">{author}</span>
        <Age ms={Date.parse(post.created_at)} />
      </p>
      <FoundText text={content} marked={marked} />
      <p className="explore-verdict">
        {label !== undefined && sentiment ? (
          <SentimentTag of={label}>
            <span className="explore-confidence">{formatPercent(sentiment.confidence)}</span>
          </SentimentTag>
        ) : (
          <span>not analysed yet</span>
        )}
        {sentiment?.emotion && (
          <EmotionTag of={sentiment.emotion} confidence={sentiment.emotion_confidence} />
        )}
        <JourneyLink postId={post_id}>
          Journey<span className="sr-only"> of this post of {author || 'an unknown author'}</span>
        </JourneyLink>
      </p>
      <p className="explore-facts">
        <span>Written {formatFull(Date.parse(post.created_at))}</span>
        <span>Stored {formatFull(Date.parse(post.ingested_at))}</span>
        {sentiment && (
          <span>
            {sentiment.model_name}
            {/* 0: analysed before versions were recorded. */}
            {sentiment.model_version > 0 && `, version ${sentiment.model_version}`}
          </span>
        )}
      </p>
    </article>
  );
});
