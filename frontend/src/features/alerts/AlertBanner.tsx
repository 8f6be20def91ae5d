import { useQuery } from '@tanstack/react-query';
import { alertsQuery } from '@/api/queries';
import { Icon } from '@/components/Icon';
import { useSlowClock } from '@/lib/clock';
import { isRaised } from './merge';
import { describeAlert } from './sentence';
import './alerts.css';

/** What is wrong right now. The region is always there: one that arrives with its text is often not read aloud. */
export function AlertBanner() {
  const { data: alerts = [] } = useQuery(alertsQuery);
  const nowMs = useSlowClock();
  const raised = alerts.filter((alert) => isRaised(alert, nowMs));
  return (
    <div className="banners" role="status" aria-live="polite" data-testid="alert-banner">
      {raised.map((alert) => (
        <p key={alert.id} className="banner">
          <Icon name="alert" />
          <span>
            <strong>Alert raised.</strong> {describeAlert(alert, nowMs)}.
          </span>
        </p>
      ))}
    </div>
  );
}
