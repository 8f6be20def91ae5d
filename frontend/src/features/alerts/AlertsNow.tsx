import { useQuery } from '@tanstack/react-query';
import { raisedQuery, rulesQuery } from '@/api/alerts';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { plural } from '@/lib/format';
import { Acknowledging } from './Acknowledging';
import { AlertItem } from './AlertItem';
import { byAttention, isUnattended } from './merge';

/** What is wrong now, with what nobody looks after first; or that nothing is. */
export function AlertsNow() {
  const query = useQuery(raisedQuery);
  const alerts = query.data ?? [];
  const unattended = alerts.filter(isUnattended).length;
  const note =
    alerts.length === 0 ? undefined : `${alerts.length} raised, ${unattended} not acknowledged`;
  return (
    <Panel title="Now" note={note} className={unattended > 0 ? 'alerts-now-raised' : ''}>
      <QueryView query={query}>
        {(raised) =>
          raised.length === 0 ? (
            <Calm />
          ) : (
            <ul className="alerts-now" data-testid="alerts-now">
              {byAttention(raised).map((alert) => (
                <li key={alert.id}>
                  <AlertItem alert={alert}>
                    <Acknowledging alert={alert} />
                  </AlertItem>
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Panel>
  );
}

function Calm() {
  const { data } = useQuery(rulesQuery);
  const watching = data?.rules.filter(({ enabled }) => enabled).length;
  return (
    <div className="calm" data-testid="alerts-calm">
      <span className="calm-sign">
        <Icon name="check" />
      </span>
      <p>
        <strong>All calm.</strong>
        <span>
          No alert is raised
          {watching === undefined ? '.' : `; ${watchers(watching)} on.`}
        </span>
      </p>
    </div>
  );
}

const watchers = (count: number): string =>
  `${plural(count, 'rule')} ${count === 1 ? 'looks' : 'look'}`;
