import { useLocation, useSearchParams } from 'react-router';
import { readFields } from '@/lib/read';
import { FILTER_NAMES, type Filters, NO_FILTERS, readFilters, writeFilters } from './filters';

interface FilterParams {
  filters: Filters;
  /** What in the address makes no sense. */
  notes: readonly string[];
  /** The same filters have the same text. */
  key: string;
  change: (changes: Partial<Filters>) => void;
  reset: () => void;
}

const TYPED: ReadonlySet<string> = new Set(['search', 'source', 'minConfidence', 'maxConfidence']);

/**
 * The filters, which are in the address and nowhere else: a link carries them, and each change is a step that one can
 * go back; but what is typed into one field, letter by letter, is one step.
 */
export function useFilterParams(): FilterParams {
  const [params, setParams] = useSearchParams();
  const typedBefore = readFields(useLocation().state)?.typed;
  const { filters, notes } = readFilters(params);
  const key = writeFilters(filters).toString();

  const go = (next: Filters, field: string) => {
    const written = writeFilters(next);
    if (written.toString() === key && notes.length === 0) return;
    for (const [name, value] of params) if (!FILTER_NAMES.has(name)) written.append(name, value);
    const typed = TYPED.has(field) ? field : null;
    const replace = typed !== null && typed === typedBefore;
    setParams(written, { replace, state: { typed }, preventScrollReset: true });
  };
  return {
    filters,
    notes,
    key,
    change: (changes) => go({ ...filters, ...changes }, Object.keys(changes).join()),
    reset: () => go(NO_FILTERS, ''),
  };
}
