import { useMutation } from '@tanstack/react-query';
import { signOut, useSession } from '@/api/session';

/** For whoever has signed in. Loads the page anew, so that nothing of what was shown stays in its memory. */
export function SignOut() {
  const session = useSession();
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: () => window.location.reload(),
  });
  if (session == null || session.name === null) return null;
  return (
    <div className="sign-out">
      <button
        type="button"
        className="link-button"
        title={`Signed in with the key ${session.name}`}
        disabled={leaving.isPending}
        onClick={() => leaving.mutate()}
      >
        Sign out
      </button>
      {leaving.error !== null && (
        <span className="field-error" role="alert">
          {leaving.error.message}
        </span>
      )}
    </div>
  );
}
