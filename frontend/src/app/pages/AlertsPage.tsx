import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';

export default function AlertsPage() {
  return (
    <Panel title="Alerts">
      <State title="Not built yet" text="This page is being made." />
    </Panel>
  );
}
