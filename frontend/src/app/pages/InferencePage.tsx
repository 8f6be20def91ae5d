import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';

export default function InferencePage() {
  return (
    <Panel title="Inference">
      <State title="Not built yet" text="This page is being made." />
    </Panel>
  );
}
