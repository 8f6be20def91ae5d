import { useState } from 'react';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { Loading, State } from '@/components/QueryView';
import { FeedControls } from './FeedControls';
import { FeedList } from './FeedList';
import { FeedShareNote } from './FeedShareNote';
import { filterPosts, NO_FILTER } from './filter';
import { useFeed } from './useFeed';
import { useFeedShare } from './useFeedShare';
import './feed.css';

export function Feed() {
  const { store, view, query } = useFeed();
  const share = useFeedShare();
  const [filter, setFilter] = useState(NO_FILTER);
  const posts = filterPosts(view.posts, filter);
  return (
    <Panel
      title="Live feed"
      note={view.isPaused ? 'paused' : undefined}
      className={share === null ? 'feed' : 'feed feed-rush'}
      id="feed"
      actions={
        <PauseButton
          isStopped={view.isStopped}
          onPause={() => store.pause('button')}
          onResume={() => store.resume()}
        />
      }
    >
      <FeedControls filter={filter} onFilter={setFilter} />
      <FeedShareNote share={share} />
      {query.error !== null && (
        <p className="stale">
          <Icon name="alert" />
          {query.error.message} Earlier posts may be missing.
        </p>
      )}
      {posts.length > 0 ? (
        <FeedList posts={posts} store={store} heldBack={view.heldBack} />
      ) : query.isPending ? (
        <Loading />
      ) : view.posts.length > 0 ? (
        <State title="No matches" text={`None of the latest ${view.posts.length} posts match.`} />
      ) : (
        <State title="No posts yet" text="Posts will appear here as they arrive." />
      )}
    </Panel>
  );
}

interface PauseButtonProps {
  isStopped: boolean;
  onPause: () => void;
  onResume: () => void;
}

function PauseButton({ isStopped, onPause, onResume }: PauseButtonProps) {
  return (
    <button type="button" className="button" onClick={isStopped ? onResume : onPause}>
      <Icon name={isStopped ? 'play' : 'pause'} />
      {isStopped ? 'Resume' : 'Pause'}
    </button>
  );
}
