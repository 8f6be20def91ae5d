import type { InferenceStatistics } from '@/api/schema';
import { Icon } from '@/components/Icon';
import { type Stage, stages } from './stages';

/** The way of a post with the numbers of now: a picture to look at, and a list in order for those who do not see it. */
export function Pipeline({ now }: { now: InferenceStatistics }) {
  return (
    <ol className="pipeline" data-testid="pipeline">
      {stages(now).map((stage) => (
        <Station key={stage.id} {...stage} />
      ))}
    </ol>
  );
}

function Station({ id, name, icon, value, unit, notes, about, trouble }: Stage) {
  return (
    <li
      className={trouble === null ? 'station' : 'station station-trouble'}
      data-testid={`stage-${id}`}
    >
      <div className="station-card">
        <p className="station-name">
          <Icon name={icon} />
          {name}
        </p>
        <p className="station-value">
          <strong>{value}</strong> <span>{unit}</span>
        </p>
        {notes.map((note) => (
          <p key={note} className="station-note">
            {note}
          </p>
        ))}
        {trouble !== null && (
          <p className="station-alarm">
            <Icon name="alert" />
            {trouble}
          </p>
        )}
      </div>
      <p className="station-about">{about}</p>
    </li>
  );
}
