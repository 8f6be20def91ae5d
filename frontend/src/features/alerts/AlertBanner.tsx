import { useQuery } from '@tanstack/react-query';
import { Link, useLocation } from 'react-router';
import { raisedQuery } from '@/api/alerts';
import { Icon } from '@/components/Icon';
import { useSlowClock } from '@/lib/clock';
import { plural } from '@/lib/format';
import { useAlertMessages } from './cache';
import { isUnattended } from './merge';
import { describeAlert } from './sentence';
import { ALERTS_PATH, useAlertHref } from './useAlertSearch';
import './banner.css';

/** More would push the page out of sight. */
const MOST = 2;

/**
 * What is wrong right now and not acknowledged. The region is always there: one that arrives with its text is often not
 * read aloud.
 */
export function AlertBanner() {
  useAlertMessages();
  const { data: alerts = [] } = useQuery(raisedQuery);
  const nowMs = useSlowClock();
  const href = useAlertHref();
  // That page shows them itself, and more of them: there they are only for the ear.
  const isShownBelow = useLocation().pathname === ALERTS_PATH;
  const unattended = alerts.filter(isUnattended);
  const beyond = unattended.length - MOST;
  return (
    <div
      className={isShownBelow ? 'sr-only' : 'banners'}
      role="status"
      aria-live="polite"
      data-testid="alert-banner"
    >
      {unattended.slice(0, MOST).map((alert) => (
        <p key={alert.id} className="banner">
          <Icon name="alert" />
          <span>
            <strong>Alert raised: {alert.ruleName}.</strong> {describeAlert(alert, nowMs)}.{' '}
            {!isShownBelow && (
              <Link to={href(alert.id)} aria-label={`Why? ${alert.ruleName}`}>
                Why?
              </Link>
            )}
          </span>
        </p>
      ))}
      {beyond > 0 && !isShownBelow && (
        <p className="banner">
          <Icon name="alert" />
          <Link to={ALERTS_PATH}>And {plural(beyond, 'more alert')}</Link>
        </p>
      )}
    </div>
  );
}
