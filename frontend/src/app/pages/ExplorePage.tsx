import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';

export default function ExplorePage() {
  return (
    <Panel title="Explore">
      <State title="Not built yet" text="This page is being made." />
    </Panel>
  );
}
