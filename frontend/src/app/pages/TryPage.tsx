import { TryIt } from '@/features/tryit/TryIt';

export default function TryPage() {
  return <TryIt />;
}
