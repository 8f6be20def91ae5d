export interface Part {
  text: string;
  isMatch: boolean;
}

/** The text in pieces, those that are what was searched for marked: as the API finds it, literally and in any case. */
export function markMatches(text: string, search: string | null): Part[] {
  if (search === null || search === '') return [{ text, isMatch: false }];
  const literal = search.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  // Every second piece is what the parentheses caught.
  return text
    .split(new RegExp(`(${literal})`, 'giu'))
    .map((piece, index) => ({ text: piece, isMatch: index % 2 === 1 }))
    .filter((part) => part.text !== '');
}
