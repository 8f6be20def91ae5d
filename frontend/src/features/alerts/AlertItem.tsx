import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Alert } from '@/api/model';
import { Age } from '@/components/Age';
import { Icon } from '@/components/Icon';
import { useSlowClock } from '@/lib/clock';
import { isRaised } from './merge';
import { describeAlert } from './sentence';
import { useAlertHref } from './useAlertSearch';
import './alerts.css';

/** An alert in two lines, with what can be done about it below. */
export function AlertItem({ alert, children }: { alert: Alert; children?: ReactNode }) {
  const nowMs = useSlowClock();
  const href = useAlertHref();
  const raised = isRaised(alert);
  return (
    <div
      className={raised ? 'alert alert-raised' : 'alert'}
      data-testid="alert-item"
      data-alert-id={alert.id}
    >
      <Icon name={raised ? 'alert' : 'check'} />
      <div className="alert-text">
        <Link to={href(alert.id)} className="alert-name" preventScrollReset>
          {alert.ruleName}
        </Link>
        <p>{describeAlert(alert, nowMs)}</p>
        <AlertMeta alert={alert} />
        {children}
      </div>
    </div>
  );
}

/** "Raised · 4 min · acknowledged: “we know”" */
export function AlertMeta({ alert }: { alert: Alert }) {
  return (
    <p className="alert-meta">
      <span className={isRaised(alert) ? 'alert-state alert-state-raised' : 'alert-state'}>
        {isRaised(alert) ? 'Raised' : 'Resolved'}
      </span>
      {' · '}
      <Age ms={alert.triggeredAtMs} />
      {alert.acknowledgedAtMs !== null && (
        <>
          {' · acknowledged'}
          {alert.acknowledgedNote !== null && `: “${alert.acknowledgedNote}”`}
        </>
      )}
    </p>
  );
}
