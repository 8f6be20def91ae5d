import type { Virtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useCallback } from 'react';

const STEPS: Record<string, number> = { PageDown: 1, PageUp: -1 };

/** As in every feed (WAI-ARIA): Page Down and Page Up go from post to post. */
export function useFeedKeys(virtualizer: Virtualizer<HTMLElement, HTMLElement>, count: number) {
  return useCallback(
    (event: KeyboardEvent) => {
      const step = STEPS[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const from = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
      const index = from === null ? 0 : Number(from.dataset.index) + step;
      if (index < 0 || index >= count) return;
      virtualizer.scrollToIndex(index);
      // Two frames: one in which the list scrolls, one in which the post is there.
      requestAnimationFrame(() =>
        requestAnimationFrame(() =>
          virtualizer.scrollElement
            ?.querySelector<HTMLElement>(`[data-index="${index}"]`)
            ?.focus({ preventScroll: true }),
        ),
      );
    },
    [virtualizer, count],
  );
}
