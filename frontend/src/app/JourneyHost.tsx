import { lazy, Suspense } from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';
import { JOURNEY_PARAM } from '@/components/JourneyLink';
import { readFields } from '@/lib/read';

const JourneyDialog = lazy(() => import('@/features/journey/JourneyDialog'));

/** The journey of the post that the address names, on whatever page. */
export function JourneyHost() {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const { state } = useLocation();
  const postId = params.get(JOURNEY_PARAM);
  if (postId === null || postId === '') return null;

  const close = () => {
    // Opened by a link of the page: the step before is the same page without it.
    if (readFields(state)?.isAbovePage === true) {
      void navigate(-1);
      return;
    }
    params.delete(JOURNEY_PARAM);
    setParams(params, { replace: true, preventScrollReset: true });
  };
  return (
    <Suspense>
      <JourneyDialog key={postId} postId={postId} onClose={close} />
    </Suspense>
  );
}
