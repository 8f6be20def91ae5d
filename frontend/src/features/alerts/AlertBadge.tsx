import { useQuery } from '@tanstack/react-query';
import { raisedQuery } from '@/api/alerts';
import { plural } from '@/lib/format';
import { isUnattended } from './merge';
import './banner.css';

/** How many raised alerts nobody has acknowledged: a number for the eye, a sentence for the ear. */
export function AlertBadge({ id }: { id: string }) {
  const { data: alerts = [] } = useQuery(raisedQuery);
  const count = alerts.filter(isUnattended).length;
  if (count === 0) return null;
  return (
    <span id={id} className="alert-badge" data-testid="alert-badge">
      <span aria-hidden="true">{count > 9 ? '9+' : count}</span>
      <span className="sr-only">{plural(count, 'alert')} not acknowledged</span>
    </span>
  );
}
