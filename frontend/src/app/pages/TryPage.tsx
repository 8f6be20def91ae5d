import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';

export default function TryPage() {
  return (
    <Panel title="Try it">
      <State title="Not built yet" text="This page is being made." />
    </Panel>
  );
}
