import { Explore } from '@/features/explore/Explore';

export default function ExplorePage() {
  return <Explore />;
}
