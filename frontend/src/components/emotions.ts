import { capitalize } from '@/lib/format';

const EMOJI: Record<string, string> = {
  joy: '😊',
  surprise: '😮',
  neutral: '😐',
  sadness: '😢',
  fear: '😨',
  anger: '😠',
  disgust: '🤢',
};

/** The labels of the emotion model, in the order in which they are listed while they count the same. */
export const EMOTIONS = Object.keys(EMOJI);

/** Each its own in every chart: a custom property, and strokes that tell lines apart without colour. */
const LOOK: Record<string, { color: string; dash?: readonly number[] }> = {
  joy: { color: 'chart-2' },
  surprise: { color: 'chart-6', dash: [8, 3] },
  neutral: { color: 'neutral', dash: [2, 3] },
  sadness: { color: 'chart-1' },
  fear: { color: 'chart-8', dash: [5, 3] },
  anger: { color: 'chart-5' },
  disgust: { color: 'chart-7', dash: [8, 3, 2, 3] },
};
const OTHER_LOOK = { color: 'chart-4', dash: [2, 4] };

export const emotionLook = (label: string) => LOOK[label] ?? OTHER_LOOK;

export const emotionEmoji = (label: string): string => EMOJI[label] ?? '💬';
export const emotionName = capitalize;
