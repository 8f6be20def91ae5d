import { useLocation, useSearchParams } from 'react-router';
import type { AlertFilter, AlertState } from '@/api/alerts';

export const ALERTS_PATH = '/alerts';
const STATES: readonly AlertState[] = ['raised', 'resolved', 'unacknowledged'];
/** A page beyond it would be one that the server refuses. */
const LAST_PAGE = 500;

/** A whole number of the address that makes sense; null for anything else that somebody may have typed. */
function readWhole(text: string | null, least: number, most: number): number | null {
  if (text === null || !/^\d{1,15}$/.test(text)) return null;
  const number = Number(text);
  return number >= least && number <= most ? number : null;
}

/** What the page shows, kept in its address: the filter of the history, and the alert that is open. */
export function useAlertSearch() {
  const [search, setSearch] = useSearchParams();
  const filter: AlertFilter = {
    state: STATES.find((state) => state === search.get('state')) ?? null,
    ruleId: readWhole(search.get('rule'), 0, Number.MAX_SAFE_INTEGER),
    page: readWhole(search.get('page'), 1, LAST_PAGE) ?? 1,
  };
  const openId = readWhole(search.get('alert'), 0, Number.MAX_SAFE_INTEGER);

  const change = (changes: Record<string, string | null>, replace = false) =>
    setSearch(
      (before) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === null) before.delete(name);
          else before.set(name, value);
        }
        return before;
      },
      { replace, preventScrollReset: true },
    );

  return {
    filter,
    openId,
    setState: (state: AlertState | null) => change({ state, page: null }),
    setRule: (ruleId: number | null) =>
      change({ rule: ruleId === null ? null : String(ruleId), page: null }),
    setPage: (page: number) => change({ page: page === 1 ? null : String(page) }),
    close: () => change({ alert: null, post: null }),
  };
}

/** The address that opens an alert; on its own page with the filters as they are. */
export function useAlertHref(): (id: number) => string {
  const { pathname, search } = useLocation();
  return (id) => {
    const parameters = new URLSearchParams(pathname === ALERTS_PATH ? search : '');
    parameters.delete('post');
    parameters.set('alert', String(id));
    return `${ALERTS_PATH}?${parameters}`;
  };
}
