import type { Delivery } from '@/api/schema';
import { Icon } from '@/components/Icon';
import { useSlowClock } from '@/lib/clock';
import { capitalize, formatMoment, plural } from '@/lib/format';
import { readInstant } from '@/lib/read';

/** Which webhooks were told, and how that went. */
export function Deliveries({ deliveries }: { deliveries: Delivery[] }) {
  return (
    <section aria-labelledby="alert-deliveries">
      <h3 id="alert-deliveries">Who was told</h3>
      {deliveries.length === 0 ? (
        <p className="alert-aside">No webhook: the rule names none.</p>
      ) : (
        <ul className="deliveries" data-testid="deliveries">
          {deliveries.map((delivery) => (
            <li
              key={`${delivery.webhook} ${delivery.change}`}
              className={`delivery delivery-${delivery.state}`}
              data-state={delivery.state}
            >
              <Icon name={ICONS[delivery.state]} />
              <p>
                <strong>{delivery.webhook}</strong>, {delivery.change}: <Fate {...delivery} />
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const ICONS = { delivered: 'check', waiting: 'clock', given_up: 'cross' } as const;

function Fate({ state, attempts, last_error, next_attempt_at, delivered_at }: Delivery) {
  const nowMs = useSlowClock();
  const at = (text: string | null) => formatMoment(readInstant(text) ?? nowMs, nowMs);
  const tried = plural(attempts, 'attempt');
  const error = last_error === null ? '' : `${capitalize(last_error)}.`;
  if (state === 'delivered') {
    return `delivered ${at(delivered_at)}${attempts > 1 ? ` after ${tried}` : ''}.`;
  }
  if (state === 'given_up') return `given up after ${tried}. ${error}`;
  if (attempts === 0) return 'on its way.';
  return `waits after ${tried}, next ${at(next_attempt_at)}. ${error}`;
}
