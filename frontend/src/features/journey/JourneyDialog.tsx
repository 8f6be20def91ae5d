import { useQuery } from '@tanstack/react-query';
import { Dialog } from '@/components/Dialog';
import { Loading, State } from '@/components/QueryView';
import { JourneyView } from './JourneyView';
import { isFinal, journeyQuery } from './journeyQuery';
import './journey.css';

interface JourneyDialogProps {
  postId: string;
  onClose: () => void;
}

/** How one post went through the system, over the page that is open. */
export default function JourneyDialog({ postId, onClose }: JourneyDialogProps) {
  const { data, error } = useQuery(journeyQuery(postId));
  return (
    <Dialog title="Journey of a post" shape="side" onClose={onClose}>
      {data !== undefined ? (
        <JourneyView journey={data} />
      ) : error !== null ? (
        <Failed error={error} postId={postId} />
      ) : (
        <Loading />
      )}
    </Dialog>
  );
}

function Failed({ error, postId }: { error: Error; postId: string }) {
  if (isFinal(error)) {
    return (
      <State
        title="There is no such post"
        text={`No post with the id “${postId}” is stored: it may be on its way, too old to be kept, or mistyped.`}
      />
    );
  }
  return <State title={error.message} text="Trying again…" />;
}
