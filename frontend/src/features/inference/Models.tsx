import type { InferenceStatistics, ModelStatistics } from '@/api/schema';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';
import { capitalize, formatCount } from '@/lib/format';
import { formatMs, formatRate, formatShort } from '@/lib/units';
import { Metric } from './Metric';

/** Each version that Triton serves, as Triton itself counts it. */
export function Models({ now }: { now: InferenceStatistics }) {
  const { triton, models } = now;
  const name = triton.version === null ? 'Triton' : `Triton ${triton.version}`;
  return (
    <Panel title="Models" note={`${name}, ${triton.ready ? 'ready' : 'does not answer'}`}>
      {models.length === 0 ? (
        <State title="No model is known yet" text="Triton has not answered since the start." />
      ) : (
        <ul className="models">
          {models.map((model) => (
            <Model key={`${model.name} ${model.version}`} model={model} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const DEVICES = { cpu: 'CPU', gpu: 'GPU' } as const;
const NO_REQUEST = 'No request in this time.';
const NO_METRICS = "Triton's metrics are not known: TRITON_METRICS_URL says where they are.";

function Model({ model }: { model: ModelStatistics }) {
  const isReady = model.state === 'ready';
  const facts = [
    `version ${model.version}`,
    model.precision,
    model.device && DEVICES[model.device],
    model.is_canary ? 'canary: on trial with a share of the posts' : null,
  ].filter((fact) => fact !== null);
  const orNone = (value: number | null, format: (value: number) => string) =>
    value === null ? null : format(value);
  return (
    <li className="model" data-testid={`model-${model.name}-${model.version}`}>
      <div className="model-head">
        <h3>{capitalize(model.role)}</h3>
        <span className="model-facts">{facts.join(' · ')}</span>
        <span className={isReady ? 'model-state model-ready' : 'model-state model-away'}>
          <Icon name={isReady ? 'check' : 'cross'} />
          {isReady ? 'Ready' : 'Unavailable'}
        </span>
      </div>
      <dl className="metrics">
        <Metric
          name="Requests"
          value={formatRate(model.requests_per_s)}
          about="Calls of the model, each with one text or many."
          testId="requests"
        />
        <Metric
          name="Inferences"
          value={formatRate(model.inferences_per_s)}
          about="Texts that went through it."
          testId="inferences"
        />
        <Metric
          name="Mean batch"
          value={orNone(model.mean_batch, formatShort)}
          about={
            model.mean_batch === null ? NO_REQUEST : 'Texts computed together. More is cheaper.'
          }
        />
        <Metric
          name="Queue"
          value={orNone(model.queue_ms, formatMs)}
          about={
            model.queue_ms === null ? NO_REQUEST : 'Wait in Triton. Bad when longer than compute.'
          }
        />
        <Metric
          name="Compute"
          value={orNone(model.compute_ms, formatMs)}
          about={model.compute_ms === null ? NO_REQUEST : 'Time of a batch in the model.'}
        />
        <Metric
          name="Waiting now"
          value={orNone(model.pending_requests, formatCount)}
          about={
            model.pending_requests === null
              ? NO_METRICS
              : 'Requests in the queue. Bad when it grows.'
          }
        />
        <Metric
          name="Failures"
          value={formatCount(model.failures_total)}
          about={
            model.failures_per_s > 0
              ? `${formatRate(model.failures_per_s)} in this time: look at Triton's log.`
              : 'Since it was loaded; none in this time.'
          }
        />
      </dl>
    </li>
  );
}
