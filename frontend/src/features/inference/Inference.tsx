import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { inferenceQuery } from '@/api/inference';
import type { InferenceStatistics } from '@/api/schema';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { HardwarePanel } from './HardwarePanel';
import { History } from './History';
import { LatencyPanel } from './LatencyPanel';
import { Models } from './Models';
import { Pipeline } from './Pipeline';
import './inference.css';

const WINDOWS = [
  { value: '1', label: '1 min' },
  { value: '5', label: '5 min' },
  { value: '15', label: '15 min' },
] as const;
const DEFAULT = '5';

/** How posts come through, and how the models do: over the window that the address says. */
export function Inference() {
  const [search, setSearch] = useSearchParams();
  const minutes = WINDOWS.find(({ value }) => value === search.get('minutes'))?.value ?? DEFAULT;
  const query = useQuery({
    ...inferenceQuery(Number(minutes)),
    placeholderData: keepPreviousData,
  });
  const choose = (chosen: string) =>
    setSearch(
      (before) => {
        if (chosen === DEFAULT) before.delete('minutes');
        else before.set('minutes', chosen);
        return before;
      },
      { replace: true, preventScrollReset: true },
    );
  return (
    <>
      <Panel
        title="From post to screen"
        note={note(query.data, minutes)}
        actions={
          <Segmented legend="Means over" segments={WINDOWS} value={minutes} onChange={choose} />
        }
      >
        <QueryView query={query}>{(now) => <Pipeline now={now} />}</QueryView>
      </Panel>
      {query.data !== undefined && <Parts now={query.data} />}
    </>
  );
}

/** After a start of the server there is less than was asked for, and the numbers say of what they are. */
function note(now: InferenceStatistics | undefined, minutes: string): string {
  const askedS = 60 * Number(minutes);
  if (now === undefined || now.window_s > askedS - 10) return 'rates and means of the last minutes';
  return `rates and means of the last ${Math.round(now.window_s)} s: the server has just begun to look`;
}

function Parts({ now }: { now: InferenceStatistics }) {
  return (
    <>
      <div className="inference-parts">
        <Models now={now} />
        <div className="inference-side">
          <LatencyPanel now={now} />
          <HardwarePanel hardware={now.hardware} />
        </div>
      </div>
      <History history={now.history} />
    </>
  );
}
