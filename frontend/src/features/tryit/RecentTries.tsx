import { Panel } from '@/components/Panel';
import { formatScore } from './numbers';
import { MAX_TRIES, type Try } from './useAnalysis';

interface RecentTriesProps {
  tries: readonly Try[];
  shownId: number | null;
  onShow: (id: number) => void;
  onForget: () => void;
}

/** The last tries side by side. There is nothing to compare in fewer than two. */
export function RecentTries({ tries, shownId, onShow, onForget }: RecentTriesProps) {
  if (tries.length < 2) return null;
  return (
    <Panel
      title="Recent tries"
      note={`the last ${MAX_TRIES}, until the page is left`}
      actions={
        <button type="button" className="button" onClick={onForget}>
          Forget them
        </button>
      }
    >
      <div className="try-table-box">
        <table className="try-table">
          <thead>
            <tr>
              <th scope="col">Text</th>
              <th scope="col">Sentiment</th>
              <th scope="col">Emotion</th>
            </tr>
          </thead>
          <tbody>
            {tries.map((each) => (
              <tr key={each.id} className={each.id === shownId ? 'try-shown' : ''}>
                <th scope="row">
                  <button
                    type="button"
                    className="link-button"
                    aria-current={each.id === shownId || undefined}
                    onClick={() => onShow(each.id)}
                  >
                    {each.texts[0]}
                  </button>
                  {each.texts.length > 1 && <span> and {each.texts.length - 1} more</span>}
                </th>
                {(['sentiment', 'emotion'] as const).map((role) => (
                  <td key={role}>
                    {each.answer.results[0]?.[role].label}{' '}
                    <span className="try-note">
                      {formatScore(each.answer.results[0]?.[role].confidence ?? 0)}
                    </span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
