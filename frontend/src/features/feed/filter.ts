import type { Post, Sentiment } from '@/api/model';

export interface FeedFilter {
  sentiment: Sentiment | 'all';
  emotion: string | null;
  source: string | null;
  text: string;
}

export const NO_FILTER: FeedFilter = { sentiment: 'all', emotion: null, source: null, text: '' };

/** Posts that every part of the filter lets pass. Each word of the text has to occur, in whatever order and case. */
export function filterPosts(posts: readonly Post[], filter: FeedFilter): readonly Post[] {
  const { sentiment, emotion, source } = filter;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (sentiment === 'all' && emotion === null && source === null && words.length === 0) {
    return posts;
  }
  return posts.filter((post) => {
    if (sentiment !== 'all' && post.sentiment !== sentiment) return false;
    if (emotion !== null && post.emotion !== emotion) return false;
    if (source !== null && post.source !== source) return false;
    if (words.length === 0) return true;
    const text = `${post.content} ${post.author ?? ''} ${post.source} ${post.emotion ?? ''}`;
    const haystack = text.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}
