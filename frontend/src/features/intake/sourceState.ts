import type { IngesterSource } from '@/api/schema';
import type { IconName } from '@/components/Icon';
import { formatShort } from '@/lib/units';

const NBSP = '\u00a0';
const NONE = '–';

export interface StateView {
  text: string;
  icon: IconName;
  tone: 'good' | 'bad' | 'late' | 'quiet';
}

const STATES: Record<IngesterSource['state'], StateView> = {
  connected: { text: 'Connected', icon: 'check', tone: 'good' },
  disconnected: { text: 'Disconnected', icon: 'cross', tone: 'bad' },
  waiting: { text: 'Waiting for workers', icon: 'clock', tone: 'late' },
  off: { text: 'Off', icon: 'pause', tone: 'quiet' },
  ended: { text: 'Ended', icon: 'minus', tone: 'quiet' },
  gone: { text: 'Ingester gone', icon: 'alert', tone: 'bad' },
};

/** What its ingester says; for the second or two until it has seen the switch, what it is about to do. */
export function viewState({ state, enabled }: IngesterSource): StateView {
  if (state === 'off') {
    return enabled ? { ...STATES.off, text: 'Switching on…' } : STATES.off;
  }
  // Neither has an ingester that could obey.
  if (enabled || state === 'gone' || state === 'ended') return STATES[state];
  return { ...STATES.off, text: 'Switching off…' };
}

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** "<1 s", "12 s", "4 min", "3 h", "2 d" */
export function formatBehind(seconds: number | null): string {
  if (seconds === null) return NONE;
  if (seconds < 1) return `<1${NBSP}s`;
  if (seconds < MINUTE_S) return `${Math.floor(seconds)}${NBSP}s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}${NBSP}min`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)}${NBSP}h`;
  return `${Math.floor(seconds / DAY_S)}${NBSP}d`;
}

export const formatLimit = (perMinute: number | null): string =>
  perMinute === null ? 'none' : `${formatShort(perMinute)}${NBSP}/min`;
