import { Inference } from '@/features/inference/Inference';
import { SourcesHealth } from '@/features/intake/SourcesHealth';
import { Letters } from '@/features/letters/Letters';

export default function InferencePage() {
  return (
    <>
      <Inference />
      <SourcesHealth />
      <Letters />
    </>
  );
}
