import { useQuery } from '@tanstack/react-query';
import { SERVICES, type Service } from '@/api/model';
import { healthQuery } from '@/api/queries';
import { Icon } from '@/components/Icon';

const NAMES: Record<Service, string> = { database: 'Database', redis: 'Redis', triton: 'Triton' };
const STATES = { up: 'connected', down: 'disconnected', unknown: 'unknown' } as const;

/** The health of what stands behind the page. Without an answer nothing is known, and that is what it says. */
export function Services() {
  const { data, isError } = useQuery(healthQuery);
  return (
    <ul className="services" aria-label="Services">
      {SERVICES.map((service) => {
        const isUp = isError ? undefined : data?.services[service];
        const state = isUp === undefined ? 'unknown' : isUp ? 'up' : 'down';
        return (
          <li key={service} className={`service service-${state}`} title={STATES[state]}>
            {state === 'unknown' ? (
              <span aria-hidden="true">?</span>
            ) : (
              <Icon name={state === 'up' ? 'check' : 'cross'} />
            )}
            {NAMES[service]}
            <span className={state === 'up' ? 'sr-only' : ''}>{STATES[state]}</span>
          </li>
        );
      })}
    </ul>
  );
}
