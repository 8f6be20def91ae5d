import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { sessionQuery, signIn } from '@/api/session';
import { Field } from '@/components/Field';
import { Logo } from '@/components/Logo';
import './session.css';

const HINT = 'Whoever runs this server gives you one.';

/** Asks for a key, once: from then on a cookie of the browser has it. */
export function SignIn({ hasEnded }: { hasEnded: boolean }) {
  const client = useQueryClient();
  const [key, setKey] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const trying = useMutation({
    mutationFn: signIn,
    onSuccess: (session) => client.setQueryData(sessionQuery.queryKey, session),
    onError: () => input.current?.focus(),
  });
  useEffect(() => {
    document.title = 'Sign in · Undertone';
    input.current?.focus();
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() === '') input.current?.focus();
    else trying.mutate(key.trim());
  };
  return (
    <main className="sign-in">
      <div className="brand">
        <Logo />
        <span className="brand-name">Undertone</span>
      </div>
      <h1>Sign in</h1>
      {hasEnded && (
        <p role="status">Your key is no longer valid. Sign in again to go on where you were.</p>
      )}
      <form onSubmit={submit}>
        <Field label="API key" hint={HINT} error={trying.error?.message}>
          {(control) => (
            <input
              {...control}
              ref={input}
              className="input"
              type="password"
              name="key"
              autoComplete="current-password"
              spellCheck={false}
              maxLength={200}
              required
              value={key}
              onChange={(event) => setKey(event.target.value)}
            />
          )}
        </Field>
        <button type="submit" className="button button-primary" disabled={trying.isPending}>
          {trying.isPending ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
