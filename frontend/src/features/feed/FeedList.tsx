import { type PointerEvent, useRef } from 'react';
import type { Post } from '@/api/model';
import { Scroller } from '@/components/Scroller';
import { plural } from '@/lib/format';
import { FeedItem } from './FeedItem';
import type { FeedStore } from './feedStore';

interface FeedListProps {
  posts: readonly Post[];
  store: FeedStore;
  heldBack: number;
}

/** Below this the list counts as being at its top. */
const TOP_PX = 24;

/** The scrolling list. Whoever points at it, holds the focus in it or has scrolled down is reading: it then holds still. */
export function FeedList({ posts, store, heldBack }: FeedListProps) {
  const list = useRef<HTMLElement>(null);

  const onPointerEnter = (event: PointerEvent) => {
    // A finger only taps or scrolls, and the page would stay paused after it.
    if (event.pointerType !== 'touch') store.pause('pointer');
  };
  const onScroll = () => {
    const isAway = (list.current?.scrollTop ?? 0) > TOP_PX;
    if (isAway) store.pause('scroll');
    else store.unpause('scroll');
  };
  const resume = () => {
    // The button is about to vanish; the focus should not vanish with it.
    list.current?.focus({ preventScroll: true });
    if (list.current !== null) list.current.scrollTop = 0;
    store.resume();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only notices that someone is reading; nothing here is operated
    <div
      className="feed-body"
      onPointerEnter={onPointerEnter}
      onPointerLeave={() => store.unpause('pointer')}
      onFocus={() => store.pause('focus')}
      onBlur={() => store.unpause('focus')}
    >
      {heldBack > 0 && (
        <button type="button" className="feed-resume" onClick={resume}>
          {plural(heldBack, 'new post')} — resume
        </button>
      )}
      <Scroller ref={list} label="Newest posts" className="feed-list" onScroll={onScroll}>
        <ul>
          {posts.map((post) => (
            <FeedItem key={post.id} post={post} />
          ))}
        </ul>
      </Scroller>
    </div>
  );
}
