import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { acknowledge, takeBack } from '@/api/alerts';
import type { Alert } from '@/api/model';
import { useMayChange } from '@/api/session';
import { AdminHint } from '@/components/AdminHint';
import { Icon } from '@/components/Icon';
import { applyAlert } from './cache';

const MOST_CHARS = 500;

/** Says for everybody who looks that somebody looks after the alert, or takes that back. */
export function Acknowledging({ alert }: { alert: Alert }) {
  const mayChange = useMayChange();
  const client = useQueryClient();
  const [note, setNote] = useState('');
  const change = useMutation({
    mutationFn: (isAcknowledged: boolean) =>
      isAcknowledged ? acknowledge(alert.id, note) : takeBack(alert.id),
    onSuccess: (changed) => {
      setNote('');
      applyAlert(client, changed);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(true);
  };
  if (!mayChange) return <AdminHint what="Acknowledging an alert" />;
  return (
    <>
      {alert.acknowledgedAtMs === null ? (
        <form className="acknowledging" onSubmit={submit}>
          <input
            className="input"
            aria-label={`Note on ${alert.ruleName}, may be empty`}
            placeholder="Note, if you like"
            maxLength={MOST_CHARS}
            value={note}
            onChange={(event) => setNote(event.target.value)}
          />
          <button type="submit" className="button button-primary" disabled={change.isPending}>
            <Icon name="check" />
            Acknowledge
          </button>
        </form>
      ) : (
        <button
          type="button"
          className="link-button"
          disabled={change.isPending}
          onClick={() => change.mutate(false)}
        >
          Take the acknowledgement back
        </button>
      )}
      {change.error !== null && (
        <p className="field-error" role="alert">
          {change.error.message}
        </p>
      )}
    </>
  );
}
