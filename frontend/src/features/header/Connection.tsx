import { useConnection } from '@/api/live';
import { useSecondClock } from '@/lib/clock';
import type { ConnectionState } from '@/lib/socket';

const NAMES: Record<ConnectionState['kind'], string> = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
};

export function Connection() {
  const state = useConnection();
  return (
    <div className="connection" data-testid="connection" data-state={state.kind}>
      <span className="dot" aria-hidden="true" />
      {/* The countdown stays outside: read aloud every second it would only be a nuisance. */}
      <span role="status">{NAMES[state.kind]}</span>
      {state.kind === 'reconnecting' && <Countdown untilMs={state.retryAtMs} />}
    </div>
  );
}

function Countdown({ untilMs }: { untilMs: number | null }) {
  const nowMs = useSecondClock();
  if (untilMs === null) return <span>now</span>;
  const seconds = Math.max(1, Math.ceil((untilMs - nowMs) / 1000));
  return <span>in {seconds} s</span>;
}
