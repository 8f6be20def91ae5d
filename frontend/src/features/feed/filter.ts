import type { Post, Sentiment } from '@/api/model';

export interface FeedFilter {
  sentiment: Sentiment | 'all';
  text: string;
}

export const NO_FILTER: FeedFilter = { sentiment: 'all', text: '' };

/** Posts of the sentiment in which every word of the text occurs, in whatever order and case. */
export function filterPosts(posts: readonly Post[], filter: FeedFilter): readonly Post[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (filter.sentiment === 'all' && words.length === 0) return posts;
  return posts.filter((post) => {
    if (filter.sentiment !== 'all' && post.sentiment !== filter.sentiment) return false;
    const text = `${post.content} ${post.author ?? ''} ${post.source} ${post.emotion ?? ''}`;
    const haystack = text.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}
