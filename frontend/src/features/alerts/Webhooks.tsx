import { useMutation } from '@tanstack/react-query';
import { testWebhook } from '@/api/alerts';
import { Icon } from '@/components/Icon';

/** Who can be told, by name; their addresses stay on the server. */
export function Webhooks({ names, mayTest }: { names: string[]; mayTest: boolean }) {
  return (
    <div className="webhooks">
      <h3>Webhooks</h3>
      {names.length === 0 ? (
        <p className="rule-hint">
          None: <code>ALERT_WEBHOOKS</code> is not set, as in{' '}
          <code>ops=https://hooks.example/…</code>
        </p>
      ) : (
        <ul data-testid="webhooks">
          {names.map((name) => (
            <Webhook key={name} name={name} mayTest={mayTest} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Webhook({ name, mayTest }: { name: string; mayTest: boolean }) {
  const test = useMutation({ mutationFn: () => testWebhook(name) });
  const isFine = test.data?.delivered === true;
  const said = test.error?.message ?? test.data?.detail;
  return (
    <li className="webhook">
      <span>{name}</span>
      {mayTest && (
        <button
          type="button"
          className="link-button"
          aria-label={`Send a test message to ${name}`}
          disabled={test.isPending}
          onClick={() => test.mutate()}
        >
          Test
        </button>
      )}
      <span role="status" className={isFine ? 'webhook-fine' : 'webhook-failed'}>
        {test.isPending && 'Sending…'}
        {!test.isPending && said !== undefined && (
          <>
            <Icon name={isFine ? 'check' : 'cross'} />
            {said}
          </>
        )}
      </span>
    </li>
  );
}
