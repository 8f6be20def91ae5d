import { useEffect, useRef } from 'react';
import { Icon } from '@/components/Icon';
import { useSlowClock } from '@/lib/clock';
import { formatCount, formatMoment } from '@/lib/format';
import { MAX_POSTS, type Search, useSearchedBackTo } from './useSearch';

/** What is below the last post: more, or why there is no more. */
export function ResultsEnd({ search }: { search: Search }) {
  const { end, error, isLoading } = search;
  const region = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const hadFocus = useRef(false);
  const label = buttonLabel(search);

  // The button goes when there is no more; the focus should not go with it.
  useEffect(() => {
    if (button.current === null && hadFocus.current) region.current?.focus({ preventScroll: true });
    hadFocus.current = button.current !== null && button.current === document.activeElement;
  });

  return (
    <div className="explore-end" ref={region} tabIndex={-1}>
      {error !== null && !isLoading && (
        <p className="stale" role="alert">
          <Icon name="alert" />
          {error.message}
        </p>
      )}
      {end === 'paused' && error === null && !isLoading && <SearchedBack search={search} />}
      {label !== null && (
        <button
          ref={button}
          type="button"
          className="button"
          aria-disabled={isLoading}
          onClick={error === null ? search.loadMore : search.retry}
          onFocus={() => {
            hadFocus.current = true;
          }}
        >
          {label}
        </button>
      )}
      {label === null && <p>{lastWords(search)}</p>}
    </div>
  );
}

/** Null: there is nothing to press it for. */
function buttonLabel({ posts, end, error, isLoading }: Search): string | null {
  if (isLoading) return posts.length === 0 ? 'Searching…' : 'Loading…';
  if (error !== null) return 'Try again';
  if (end === 'paused') return 'Continue';
  return end === 'more' ? 'Load more' : null;
}

function lastWords({ posts, end }: Search): string {
  if (end === 'full') {
    const shown = `${formatCount(MAX_POSTS)} posts are shown, and no more will be.`;
    return `${shown} Search more closely, or export them.`;
  }
  return posts.length > 0 ? 'That is all.' : '';
}

function SearchedBack({ search }: { search: Search }) {
  const nowMs = useSlowClock();
  const backToMs = useSearchedBackTo(search.cursor);
  return (
    <p role="status">
      {backToMs === undefined
        ? 'Part of the posts has been searched.'
        : `Searched back to ${formatMoment(backToMs, nowMs)}.`}{' '}
      There are older ones.
    </p>
  );
}
