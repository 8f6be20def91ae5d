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

export const emotionEmoji = (label: string): string => EMOJI[label] ?? '💬';
export const emotionName = capitalize;
