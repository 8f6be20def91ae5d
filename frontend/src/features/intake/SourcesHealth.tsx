import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ingesterSourcesQuery, switchSource } from '@/api/ingesterSources';
import type { IngesterSource } from '@/api/schema';
import { useMayChange } from '@/api/session';
import { AdminHint } from '@/components/AdminHint';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Scroller } from '@/components/Scroller';
import { SourceHealthRow } from './SourceHealthRow';
import './intake.css';

interface Wanted {
  name: string;
  enabled: boolean;
}

/** How the sources are doing that ingesters read, and the switch of each. */
export function SourcesHealth() {
  const client = useQueryClient();
  const query = useQuery(ingesterSourcesQuery);
  const mayChange = useMayChange();
  const [askedName, setAskedName] = useState<string | null>(null);
  const switching = useMutation({
    mutationFn: ({ name, enabled }: Wanted) => switchSource(name, enabled),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ingesterSourcesQuery.queryKey });
      setAskedName(null);
    },
  });
  const { isPending, variables, error } = switching;
  // What was asked for shows at once, and what holds when the answer is there.
  const isOn = ({ name, enabled }: IngesterSource) =>
    isPending && variables.name === name ? variables.enabled : enabled;
  const change = (wanted: Wanted) => {
    if (isPending) return;
    switching.reset();
    if (wanted.enabled) switching.mutate(wanted);
    else setAskedName(wanted.name);
  };
  const close = () => {
    // What was said in the dialog was read; what is under way may still fail.
    if (!isPending) switching.reset();
    setAskedName(null);
  };
  return (
    <Panel title="Sources" id="sources" note="as their ingesters say">
      {error !== null && askedName === null && (
        <p className="field-error" role="alert">
          {error.message}
        </p>
      )}
      <QueryView query={query}>
        {({ sources }) =>
          sources.length === 0 ? (
            <State title="No sources yet" text="Each shows as soon as an ingester reads it." />
          ) : (
            <>
              {!mayChange && <AdminHint what="Switching a source on or off" />}
              <Scroller label="Sources, as a table" className="intake-scroll">
                <table className="intake">
                  <caption className="sr-only">How each source is doing</caption>
                  <thead>
                    <tr>
                      <th scope="col">Source</th>
                      {mayChange && <th scope="col">On</th>}
                      <th scope="col">State</th>
                      <Numbers />
                    </tr>
                  </thead>
                  <tbody>
                    {sources.map((source) => (
                      <SourceHealthRow
                        key={source.name}
                        source={source}
                        isOn={isOn(source)}
                        onSwitch={
                          mayChange ? (enabled) => change({ name: source.name, enabled }) : null
                        }
                      />
                    ))}
                  </tbody>
                </table>
              </Scroller>
            </>
          )
        }
      </QueryView>
      {askedName !== null && (
        <ConfirmDialog
          title={`Switch ${askedName} off?`}
          text="No more of its posts come in, also after a restart, until it is switched on again. Then it goes on where it was, as far as its server keeps what was missed."
          action="Switch off"
          isPending={isPending}
          error={error}
          onConfirm={() => switching.mutate({ name: askedName, enabled: false })}
          onClose={close}
        />
      )}
    </Panel>
  );
}

const NUMBERS = ['Behind by', 'Posts', 'Last post', 'Errors', 'Limit'];

function Numbers() {
  return NUMBERS.map((name) => (
    <th key={name} scope="col" className="intake-number">
      {name}
    </th>
  ));
}
