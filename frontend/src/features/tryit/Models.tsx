import { useQuery } from '@tanstack/react-query';
import { modelsQuery } from '@/api/modelList';
import type { ModelInfo } from '@/api/schema';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { capitalize } from '@/lib/format';

/** Who answers: the models in service. */
export function Models() {
  const models = useQuery(modelsQuery);
  return (
    <Panel title="Who answers">
      <QueryView query={models}>
        {(data) => (
          <ul className="try-models">
            {data.models.map((model) => (
              <Model key={model.name} model={model} />
            ))}
          </ul>
        )}
      </QueryView>
    </Panel>
  );
}

function Model({ model }: { model: ModelInfo }) {
  const { role, source, version, precision, device, runtime, max_tokens, canary, state } = model;
  const facts = [
    precision,
    device === null ? null : `on the ${device.toUpperCase()}`,
    runtime,
    `reads ${max_tokens} tokens at most`,
    canary &&
      `version ${canary.version} is on trial for ${canary.percent} % of the posts, not here`,
  ];
  return (
    <li data-testid={`model-${role}`}>
      <strong>{capitalize(role)}</strong> {source}, version {version}
      {state !== 'ready' && <span className="try-unavailable"> does not answer now</span>}
      <span className="try-note">{facts.filter(Boolean).join(' · ')}</span>
    </li>
  );
}
