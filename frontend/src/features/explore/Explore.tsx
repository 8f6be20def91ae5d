import { useId, useState } from 'react';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import { ExportMenu } from './ExportMenu';
import { FilterForm } from './FilterForm';
import { countFilters, MAX_SEARCH_CHARS } from './filters';
import { postsQuery } from './postsQuery';
import { Results } from './Results';
import { SearchField } from './SearchField';
import { useFilterParams } from './useFilterParams';
import './explore.css';

/** All stored posts: which, and then these. */
export function Explore() {
  const { filters, notes, key, change, reset } = useFilterParams();
  const [search, setSearch] = useState({ key, nowMs: Date.now() });
  if (search.key !== key) setSearch({ key, nowMs: Date.now() });
  const query = postsQuery(filters, search.nowMs);
  const count = countFilters(filters);
  return (
    <div className="explore">
      {/* biome-ignore lint/a11y/useSemanticElements: jsdom does not know the element, and a form has Enter */}
      <form
        role="search"
        className="explore-filters panel"
        aria-label="Posts"
        onSubmit={(event) => event.preventDefault()}
      >
        <SearchField
          value={filters.search ?? ''}
          maxChars={MAX_SEARCH_CHARS}
          onSearch={(text) => change({ search: text || null }, 'search')}
        />
        <Collapsible count={count}>
          <FilterForm filters={filters} onChange={change} />
          <button
            type="button"
            className="button explore-reset"
            onClick={reset}
            disabled={count === 0}
          >
            Reset all
          </button>
        </Collapsible>
      </form>
      <div className="explore-found">
        {notes.length > 0 && (
          <ul className="stale explore-notes" aria-label="Ignored parts of the address">
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        )}
        <Results
          searchId={`${search.key} ${search.nowMs}`}
          filters={filters}
          query={query}
          onSearchAgain={() => setSearch({ key, nowMs: Date.now() })}
          actions={
            <>
              <CopyButton label="Copy link" text={() => linkTo(key)} />
              <ExportMenu query={query} />
            </>
          }
        />
      </div>
    </div>
  );
}

function linkTo(key: string): string {
  const { origin, pathname } = window.location;
  return key === '' ? `${origin}${pathname}` : `${origin}${pathname}?${key}`;
}

/** On a narrow screen the filters are away until they are wanted; on a wide one there is room for them. */
function Collapsible({ count, children }: { count: number; children: React.ReactNode }) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  return (
    <>
      <button
        type="button"
        className="button explore-toggle"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <Icon name="filter" />
        Filters
        {count > 0 && <span className="explore-count">{count} active</span>}
      </button>
      <div id={id} className={isOpen ? 'explore-form' : 'explore-form explore-form-closed'}>
        {children}
      </div>
    </>
  );
}
