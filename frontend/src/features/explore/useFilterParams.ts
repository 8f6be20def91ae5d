import { useState } from 'react';
import { useLocation, useSearchParams } from 'react-router';
import { readFields } from '@/lib/read';
import { FILTER_NAMES, type Filters, NO_FILTERS, readFilters, writeFilters } from './filters';

interface FilterParams {
  filters: Filters;
  /** What in the address makes no sense. */
  notes: readonly string[];
  /** The same filters have the same text. */
  key: string;
  /** `typed`: the field that is being typed into; what follows in the same one is the same step. */
  change: (changes: Partial<Filters>, typed?: string) => void;
  reset: () => void;
}

/**
 * The filters, which are in the address and nowhere else: a link carries them, and each change is a step that one can
 * go back; but what is typed into one field, letter by letter, is one step.
 */
export function useFilterParams(): FilterParams {
  const [params, setParams] = useSearchParams();
  const location = useLocation();
  // The router goes there when it has time; what was clicked has to look clicked at once.
  const [ahead, setAhead] = useState<{ from: string; query: string } | null>(null);
  // It is there, and whoever comes back here later comes back to what was.
  if (ahead !== null && ahead.from !== location.key) setAhead(null);
  const { filters, notes } = readFilters(
    ahead === null ? params : new URLSearchParams(ahead.query),
  );
  const typedBefore = readFields(location.state)?.typed;
  const key = writeFilters(filters).toString();

  const go = (next: Filters, typed: string | null) => {
    const written = writeFilters(next);
    if (written.toString() === key && notes.length === 0) return;
    for (const [name, value] of params) if (!FILTER_NAMES.has(name)) written.append(name, value);
    const replace = typed !== null && typed === typedBefore;
    setAhead({ from: location.key, query: written.toString() });
    setParams(written, { replace, state: { typed }, preventScrollReset: true });
  };
  return {
    filters,
    notes,
    key,
    change: (changes, typed) => go({ ...filters, ...changes }, typed ?? null),
    reset: () => go(NO_FILTERS, null),
  };
}
