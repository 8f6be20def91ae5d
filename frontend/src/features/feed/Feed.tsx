import { useDeferredValue, useMemo, useState, useSyncExternalStore } from 'react';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { Loading, State } from '@/components/QueryView';
import { FeedControls } from './FeedControls';
import { FeedLatency } from './FeedLatency';
import { FeedList } from './FeedList';
import { useFeed } from './FeedProvider';
import { FeedShareNote } from './FeedShareNote';
import { NO_FILTER } from './filter';
import { useFeedShare } from './useFeedShare';
import { useMatches } from './useMatches';
import './feed.css';

/** The posts as they arrive, of all sources or of one. */
export function Feed({ source = null }: { source?: string | null }) {
  const { store, times, query } = useFeed();
  const view = useSyncExternalStore(store.subscribe, store.get);
  const share = useFeedShare();
  const [chosen, setChosen] = useState(NO_FILTER);
  const text = useDeferredValue(chosen.text);
  const filter = useMemo(() => ({ ...chosen, text, source }), [chosen, text, source]);
  const { matches, isSearching } = useMatches(view.posts, filter);
  return (
    <Panel
      title="Live feed"
      note={view.isPaused ? 'paused' : undefined}
      className="feed"
      id="feed"
      actions={
        <PauseButton
          isStopped={view.isStopped}
          onPause={() => store.pause('button')}
          onResume={() => store.resume()}
        />
      }
    >
      <FeedControls filter={chosen} onFilter={setChosen} />
      <FeedShareNote share={share} />
      {query.error !== null && (
        <p className="stale">
          <Icon name="alert" />
          {query.error.message} Earlier posts may be missing.
        </p>
      )}
      {matches.length > 0 ? (
        <FeedList
          posts={matches}
          newcomers={matches === view.posts ? view.newcomers : 0}
          heldBack={view.heldBack}
          store={store}
        />
      ) : query.isPending || isSearching ? (
        <Loading />
      ) : view.posts.length > 0 ? (
        <State title="No matches" text="No post matches. New ones that do will show here." />
      ) : (
        <State title="No posts yet" text="Posts will appear here as they arrive." />
      )}
      <FeedLatency latency={times.latency} />
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
