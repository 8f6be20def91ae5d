import type { Alert } from '@/api/model';
import { Age } from '@/components/Age';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Scroller } from '@/components/Scroller';
import { useSlowClock } from '@/lib/clock';
import { isRaised } from './merge';
import { describeAlert } from './sentence';
import { useAlerts } from './useAlerts';
import './alerts.css';

export function Alerts() {
  const query = useAlerts();
  return (
    <Panel title="Alerts" note="newest first">
      <QueryView query={query}>
        {(alerts) =>
          alerts.length === 0 ? (
            <State title="No alerts" text="A rise in negative posts would show here." />
          ) : (
            <Scroller label="Alert list" className="alerts">
              <ul data-testid="alerts">
                {alerts.map((alert) => (
                  <AlertItem key={alert.id} alert={alert} />
                ))}
              </ul>
            </Scroller>
          )
        }
      </QueryView>
    </Panel>
  );
}

function AlertItem({ alert }: { alert: Alert }) {
  const nowMs = useSlowClock();
  const raised = isRaised(alert, nowMs);
  const state = raised ? 'Raised' : alert.resolvedAtMs === null ? 'Ended' : 'Resolved';
  return (
    <li className={raised ? 'alert alert-raised' : 'alert'} data-testid="alert-item">
      <Icon name={raised ? 'alert' : 'check'} />
      <p>
        {describeAlert(alert, nowMs)}
        <span className="alert-meta">
          {state} · <Age ms={alert.triggeredAtMs} />
        </span>
      </p>
    </li>
  );
}
