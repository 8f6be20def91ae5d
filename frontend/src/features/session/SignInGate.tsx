import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { isSignedOut, sessionQuery } from '@/api/session';
import { SignIn } from './SignIn';

/** The page, or the question for a key in its place; the address stays, so that what was wanted opens after it. */
export function SignInGate({ children }: { children: ReactNode }) {
  const { data: session, isPending } = useQuery(sessionQuery);
  const [wasSignedIn, setWasSignedIn] = useState(false);
  if (session != null && session.name !== null && !wasSignedIn) setWasSignedIn(true);
  if (isPending) return null;
  // Without an answer nothing is known: the page itself says that the server cannot be reached.
  return isSignedOut(session) ? <SignIn hasEnded={wasSignedIn} /> : children;
}
