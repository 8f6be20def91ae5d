import { type ReactNode, useRef } from 'react';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';
import { formatCount, plural } from '@/lib/format';
import type { Filters } from './filters';
import type { PostsQuery } from './postsQuery';
import { ResultsEnd } from './ResultsEnd';
import { ResultsList } from './ResultsList';
import { useHasNewer } from './useHasNewer';
import { type Search, useSearch } from './useSearch';

interface ResultsProps {
  searchId: string;
  filters: Filters;
  query: PostsQuery;
  onSearchAgain: () => void;
  actions: ReactNode;
}

export function Results({ searchId, filters, query, onSearchAgain, actions }: ResultsProps) {
  const search = useSearch(query, searchId);
  const hasNewer = useHasNewer(filters, searchId) && !search.isLoading;
  const box = useRef<HTMLDivElement>(null);
  const isEmpty =
    search.posts.length === 0 && search.end === 'reached' && search.total !== undefined;
  const searchAgain = () => {
    // The button is about to vanish; the focus should not vanish with it.
    box.current?.focus({ preventScroll: true });
    onSearchAgain();
  };
  return (
    <Panel title="Posts" note={totalText(search)} className="explore-results" actions={actions}>
      <span className="sr-only" role="status">
        {totalText(search) ?? 'Searching…'}
      </span>
      {/* Laid over the list: who reads must not see it move. */}
      <div className="explore-newer">
        {hasNewer && (
          <button type="button" onClick={searchAgain}>
            <Icon name="up" />
            Newer posts match — search again
          </button>
        )}
      </div>
      <div ref={box} tabIndex={-1} className="explore-box">
        {isEmpty ? (
          <State title="No posts match" text="Ask for less: fewer filters, or a longer time." />
        ) : (
          <ResultsList search={search} marked={filters.search} />
        )}
      </div>
      <ResultsEnd search={search} />
    </Panel>
  );
}

function totalText({ total }: Search): string | undefined {
  if (total === undefined) return undefined;
  if (total.isExact) return plural(total.posts, 'post');
  return total.posts === 0 ? 'none so far' : `at least ${formatCount(total.posts)} posts`;
}
