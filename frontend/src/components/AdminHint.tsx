import { Icon } from './Icon';
import './adminHint.css';

/** Stands where controls would be for whoever may use them. */
export function AdminHint({ what }: { what: string }) {
  return (
    <p className="admin-hint">
      <Icon name="info" />
      {what} needs a key with the scope admin.
    </p>
  );
}
