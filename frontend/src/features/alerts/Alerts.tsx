import { useQuery } from '@tanstack/react-query';
import { recentQuery } from '@/api/alerts';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Scroller } from '@/components/Scroller';
import { AlertItem } from './AlertItem';

/** The newest alerts, for a corner of a page; each leads to its explanation. */
export function Alerts() {
  const query = useQuery(recentQuery);
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
                  <li key={alert.id}>
                    <AlertItem alert={alert} />
                  </li>
                ))}
              </ul>
            </Scroller>
          )
        }
      </QueryView>
    </Panel>
  );
}
