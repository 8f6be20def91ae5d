import { Link } from 'react-router';
import { Panel } from '@/components/Panel';

export function NotFoundPage() {
  return (
    <Panel title="There is no such page">
      <p>
        The address may be mistyped. <Link to="/">Back to the live page</Link>
      </p>
    </Panel>
  );
}
