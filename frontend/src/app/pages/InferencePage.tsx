import { Inference } from '@/features/inference/Inference';
import { Letters } from '@/features/letters/Letters';

export default function InferencePage() {
  return (
    <>
      <Inference />
      <Letters />
    </>
  );
}
