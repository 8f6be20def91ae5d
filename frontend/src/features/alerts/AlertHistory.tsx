import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { alertPageQuery, PAGE_SIZE, rulesQuery } from '@/api/alerts';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { formatCount, plural } from '@/lib/format';
import { AlertItem } from './AlertItem';
import { useAlertSearch } from './useAlertSearch';

const STATES = [
  { value: 'all', label: 'All' },
  { value: 'raised', label: 'Raised' },
  { value: 'resolved', label: 'Resolved' },
  { value: 'unacknowledged', label: 'Not acknowledged' },
] as const;

/** Every alert there was, newest first, a page at a time. */
export function AlertHistory() {
  const { filter, setState, setPage } = useAlertSearch();
  const query = useQuery(alertPageQuery(filter));
  const total = query.data?.total;
  return (
    <Panel title="History" note={total === undefined ? undefined : plural(total, 'alert')}>
      <div className="history-filters">
        <Segmented
          legend="State"
          segments={STATES}
          value={filter.state ?? 'all'}
          onChange={(state) => setState(state === 'all' ? null : state)}
        />
        <RuleFilter />
      </div>
      <QueryView query={query}>
        {(page) =>
          page.alerts.length === 0 ? (
            <NoAlerts isFirstPage={filter.page === 1} />
          ) : (
            <ul className="history" data-testid="alert-history">
              {page.alerts.map((alert) => (
                <li key={alert.id}>
                  <AlertItem alert={alert} />
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
      {total !== undefined && (total > PAGE_SIZE || filter.page > 1) && (
        <Paging page={filter.page} total={total} onPage={setPage} />
      )}
    </Panel>
  );
}

function NoAlerts({ isFirstPage }: { isFirstPage: boolean }) {
  return isFirstPage ? (
    <State title="No such alert" text="None was raised, or the filters leave it out." />
  ) : (
    <State title="Nothing on this page" text="There are fewer alerts than that." />
  );
}

function RuleFilter() {
  const { filter, setRule } = useAlertSearch();
  const { data } = useQuery(rulesQuery);
  const id = useId();
  const { ruleId } = filter;
  const rules = data?.rules ?? [];
  const isKnown = ruleId === null || rules.some((rule) => rule.id === ruleId);
  return (
    <div className="rule-filter">
      <label htmlFor={id}>Rule</label>
      <select
        id={id}
        className="input"
        value={ruleId ?? ''}
        onChange={({ target }) => setRule(target.value === '' ? null : Number(target.value))}
      >
        <option value="">All rules</option>
        {rules.map((rule) => (
          <option key={rule.id} value={rule.id}>
            {rule.name}
          </option>
        ))}
        {!isKnown && <option value={ruleId}>A rule that was deleted</option>}
      </select>
    </div>
  );
}

interface PagingProps {
  page: number;
  total: number;
  onPage: (page: number) => void;
}

function Paging({ page, total, onPage }: PagingProps) {
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE));
  return (
    <nav className="paging" aria-label="Pages of the history">
      <button
        type="button"
        className="button"
        disabled={page <= 1}
        onClick={() => onPage(Math.min(page - 1, pages))}
      >
        Newer
      </button>
      <span>
        Page {formatCount(page)} of {formatCount(pages)}
      </span>
      <button
        type="button"
        className="button"
        disabled={page >= pages}
        onClick={() => onPage(page + 1)}
      >
        Older
      </button>
    </nav>
  );
}
