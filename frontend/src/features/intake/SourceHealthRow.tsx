import type { IngesterSource } from '@/api/schema';
import { Age } from '@/components/Age';
import { Icon } from '@/components/Icon';
import { formatCount } from '@/lib/format';
import { readInstant } from '@/lib/read';
import { formatRate } from '@/lib/units';
import { formatBehind, formatLimit, viewState } from './sourceState';

interface SourceHealthRowProps {
  source: IngesterSource;
  isOn: boolean;
  /** null: we may only look. */
  onSwitch: ((enabled: boolean) => void) | null;
}

export function SourceHealthRow({ source, isOn, onSwitch }: SourceHealthRowProps) {
  const { name, state, last_error } = source;
  const { text, icon, tone } = viewState(source);
  const lastPostMs = readInstant(source.last_post_at);
  return (
    <>
      <tr data-testid="ingester-source" data-source={name} data-state={state}>
        <th scope="row">{name}</th>
        {onSwitch !== null && (
          <td>
            <label className="check">
              <input
                type="checkbox"
                aria-label={`${name} is on`}
                checked={isOn}
                onChange={({ target }) => onSwitch(target.checked)}
              />
            </label>
          </td>
        )}
        <td>
          <span className={`intake-state intake-${tone}`}>
            <Icon name={icon} />
            {text}
          </span>
        </td>
        <td className="intake-number">{formatBehind(source.behind_s)}</td>
        <td className="intake-number">{formatRate(source.posts_per_s)}</td>
        <td className="intake-number">{lastPostMs === null ? 'none' : <Age ms={lastPostMs} />}</td>
        <td className="intake-number">{formatCount(source.errors)}</td>
        <td className="intake-number">{formatLimit(source.rate_limit_per_minute)}</td>
      </tr>
      {last_error !== null && (
        <tr className="intake-error">
          <td colSpan={onSwitch === null ? 7 : 8}>
            <p>
              Last error<span className="sr-only"> of {name}</span>: {last_error}
            </p>
          </td>
        </tr>
      )}
    </>
  );
}
