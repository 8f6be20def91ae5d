import { useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { TOTALS_KEY } from '@/api/counts';
import { useLiveMessage, useOnConnected } from '@/api/live';

/** New totals may come several times a second; the charts need not follow each of them. */
const TOTALS_EVERY_MS = 3_000;

/** Keeps what comes from REST in step with the WebSocket. */
export function useRefetch(): void {
  const client = useQueryClient();
  const refetchedAtMs = useRef(0);

  useOnConnected(() => void client.invalidateQueries());

  useLiveMessage('metrics_update', () => {
    const nowMs = Date.now();
    if (nowMs - refetchedAtMs.current < TOTALS_EVERY_MS) return;
    refetchedAtMs.current = nowMs;
    void client.invalidateQueries({ queryKey: TOTALS_KEY });
  });
}
