import type { Post } from '@/api/model';
import { Age } from '@/components/Age';
import { emotionEmoji, emotionName } from '@/components/emotions';
import { JourneyLink } from '@/components/JourneyLink';
import { SentimentTag } from '@/components/SentimentTag';
import { formatPercent } from '@/lib/format';

/** The newest of the posts that the rule counted; each leads to how it came here. */
export function AlertPosts({ posts }: { posts: Post[] }) {
  return (
    <section aria-labelledby="alert-posts">
      <h3 id="alert-posts">Posts that made it</h3>
      {posts.length === 0 ? (
        <p className="alert-aside">They are not kept any more, or were none.</p>
      ) : (
        <ul className="alert-posts" data-testid="alert-posts">
          {posts.map((post) => (
            <li key={post.id} data-post-id={post.id}>
              <p className="alert-post-text">{post.content}</p>
              <p className="alert-post-meta">
                <SentimentTag of={post.sentiment}> {formatPercent(post.confidence)}</SentimentTag>
                {post.emotion !== null && (
                  <span>
                    <span className="emoji" aria-hidden="true">
                      {emotionEmoji(post.emotion)}
                    </span>
                    {emotionName(post.emotion)}
                  </span>
                )}
                <span>{post.source}</span>
                <Age ms={post.createdAtMs} />
                <JourneyLink postId={post.id} />
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
