import { type ReactNode, useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';

/** The search parameter that opens the journey of a post, on any page. */
export const JOURNEY_PARAM = 'post';

interface JourneyLinkProps {
  postId: string;
  className?: string;
  children?: ReactNode;
}

/** Leads to how this post went through the system, above the page that is open. */
export function JourneyLink({ postId, className = 'link-button', children }: JourneyLinkProps) {
  const [params] = useSearchParams();
  const search = useMemo(() => {
    const next = new URLSearchParams(params);
    next.set(JOURNEY_PARAM, postId);
    return `?${next}`;
  }, [params, postId]);
  return (
    // The state tells whoever closes the journey that going back does.
    <Link to={{ search }} className={className} state={{ isAbovePage: true }} preventScrollReset>
      {children ?? 'Journey'}
    </Link>
  );
}
