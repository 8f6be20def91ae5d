import { useEffect, useEffectEvent, useState } from 'react';

interface Draft {
  text: string;
  change: (text: string) => void;
  /** Applies it now, without waiting for a pause. */
  commit: () => void;
}

const PAUSE_MS = 400;

/**
 * A text that is being typed, beside the `value` that holds. It is applied after a pause; where the value changes by
 * other means (somebody goes back), the text follows. `apply` returns the value that holds from now on: a text that was
 * trimmed or refused is not taken out of its writer's hands.
 */
export function useDraft(value: string, apply: (text: string) => string): Draft {
  const [draft, setDraft] = useState({ text: value, applied: value, seen: value });
  if (draft.seen !== value) {
    const isOurs = draft.applied === value;
    setDraft(isOurs ? { ...draft, seen: value } : { text: value, applied: value, seen: value });
  }

  const commit = () => {
    if (draft.text === draft.applied) return;
    const applied = apply(draft.text);
    if (applied !== draft.applied) setDraft({ ...draft, applied });
  };
  const onPause = useEffectEvent(commit);
  useEffect(() => {
    if (draft.text === draft.applied) return;
    const timer = setTimeout(() => onPause(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [draft.text, draft.applied]);
  return { text: draft.text, change: (text) => setDraft({ ...draft, text }), commit };
}
