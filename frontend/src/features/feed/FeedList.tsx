import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import {
  type FocusEvent,
  type PointerEvent,
  useCallback,
  useEffect,
  useRef,
  useState,
} from 'react';
import type { Post } from '@/api/model';
import { Scroller } from '@/components/Scroller';
import { plural } from '@/lib/format';
import { FeedItem } from './FeedItem';
import type { FeedStore } from './feedStore';
import { useFeedKeys } from './useFeedKeys';

interface FeedListProps {
  posts: readonly Post[];
  newcomers: number;
  heldBack: number;
  store: FeedStore;
}

/** Below this the list counts as being at its top. */
const TOP_PX = 24;
/** Of a post of two lines; the real height counts as soon as it is there. */
const USUAL_PX = 112;

/**
 * The scrolling list, of which only what is in sight is there. Whoever points at it, holds the focus in it or has scrolled
 * down is reading: it then holds still.
 */
export function FeedList({ posts, newcomers, heldBack, store }: FeedListProps) {
  const list = useRef<HTMLElement>(null);
  const [openIds, setOpenIds] = useState<ReadonlySet<string>>(new Set());
  const [focused, setFocused] = useState<number | null>(null);

  const virtualizer = useVirtualizer<HTMLElement, HTMLElement>({
    count: posts.length,
    getScrollElement: () => list.current,
    getItemKey: useCallback((index: number) => posts[index]?.id ?? index, [posts]),
    estimateSize: () => USUAL_PX,
    overscan: 3,
    // What has the focus stays, however far away it was scrolled.
    rangeExtractor: useCallback((range: Range) => withFocused(range, focused), [focused]),
    useFlushSync: false,
  });

  useEffect(() => () => store.unpause('pointer', 'focus', 'scroll'), [store]);

  const onPointerEnter = (event: PointerEvent) => {
    // A finger only taps or scrolls, and the page would stay paused after it.
    if (event.pointerType !== 'touch') store.pause('pointer');
  };
  const onScroll = () => {
    const isAway = (list.current?.scrollTop ?? 0) > TOP_PX;
    if (isAway) store.pause('scroll');
    else store.unpause('scroll');
  };
  const onFocus = (event: FocusEvent) => {
    store.pause('focus');
    const index = event.target.closest<HTMLElement>('[data-index]')?.dataset.index;
    setFocused(index === undefined ? null : Number(index));
  };
  const onBlur = () => {
    store.unpause('focus');
    setFocused(null);
  };
  const resume = () => {
    // The button is about to vanish; the focus should not vanish with it.
    list.current?.focus({ preventScroll: true });
    if (list.current !== null) list.current.scrollTop = 0;
    store.resume();
  };
  const onKeyDown = useFeedKeys(virtualizer, posts.length);
  const toggle = useCallback((id: string) => setOpenIds((ids) => toggled(ids, id)), []);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only notices that someone is reading; nothing here is operated
    <div
      className="feed-body"
      onPointerEnter={onPointerEnter}
      onPointerLeave={() => store.unpause('pointer')}
      onFocus={onFocus}
      onBlur={onBlur}
      onKeyDown={onKeyDown}
    >
      {heldBack > 0 && (
        <button type="button" className="feed-resume" onClick={resume}>
          {plural(heldBack, 'new post')} — resume
        </button>
      )}
      <Scroller ref={list} label="Newest posts" className="feed-list" onScroll={onScroll}>
        <div
          role="feed"
          aria-label="Newest posts"
          className="feed-track"
          style={{ height: virtualizer.getTotalSize() }}
          data-testid="feed"
          data-count={posts.length}
        >
          {virtualizer.getVirtualItems().map(({ index, key, start }) => {
            const post = posts[index];
            return (
              post !== undefined && (
                <FeedItem
                  key={key}
                  post={post}
                  index={index}
                  count={posts.length}
                  startPx={start}
                  isNew={index < newcomers}
                  isOpen={openIds.has(post.id)}
                  onToggle={toggle}
                  measure={virtualizer.measureElement}
                />
              )
            );
          })}
        </div>
      </Scroller>
    </div>
  );
}

function withFocused(range: Range, focused: number | null): number[] {
  const shown = defaultRangeExtractor(range);
  if (focused === null || focused >= range.count || shown.includes(focused)) return shown;
  return [...shown, focused].sort((a, b) => a - b);
}

function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}
