import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { ResultItem } from './ResultItem';
import type { Search } from './useSearch';

const ITEM_PX = 132;
/** So many are laid out above and below what is in sight; so close to the end the next page is fetched. */
const OVERSCAN = 6;

/** Of thousands of posts only those in sight, and a few around them, are in the document. */
export function ResultsList({ search, marked }: { search: Search; marked: string | null }) {
  const list = useRef<HTMLUListElement>(null);
  const [topPx, setTopPx] = useState(0);
  const { posts, end, isLoading, error, loadMore } = search;
  const virtual = useWindowVirtualizer({
    count: posts.length,
    estimateSize: () => ITEM_PX,
    overscan: OVERSCAN,
    scrollMargin: topPx,
    getItemKey: (index) => posts[index]?.post_id ?? index,
  });
  const items = virtual.getVirtualItems();
  const isEndNear = (items.at(-1)?.index ?? -1) >= posts.length - 1;

  // What is above the list may have grown; its place is known only when it is laid out.
  useLayoutEffect(() => {
    const element = list.current;
    if (element !== null)
      setTopPx(Math.round(element.getBoundingClientRect().top + window.scrollY));
  });
  useEffect(() => {
    if (isEndNear && end === 'more' && !isLoading && error === null) loadMore();
  });

  if (posts.length === 0) return null;
  return (
    <ul
      ref={list}
      className="explore-list"
      aria-label="Posts found"
      style={{ height: virtual.getTotalSize() }}
    >
      {items.map(({ key, index, start }) => {
        const post = posts[index];
        return (
          post !== undefined && (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              aria-posinset={index + 1}
              aria-setsize={end === 'reached' ? posts.length : -1}
              style={{ transform: `translateY(${start - topPx}px)` }}
            >
              <ResultItem post={post} marked={marked} />
            </li>
          )
        );
      })}
    </ul>
  );
}
