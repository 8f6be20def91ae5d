import { Icon } from '@/components/Icon';
import { useDraft } from '@/lib/useDraft';

interface SearchFieldProps {
  value: string;
  maxChars: number;
  onSearch: (text: string) => void;
}

export function SearchField({ value, maxChars, onSearch }: SearchFieldProps) {
  const draft = useDraft(value, (text) => {
    const trimmed = text.trim();
    onSearch(trimmed);
    return trimmed;
  });
  return (
    <label className="explore-search">
      <Icon name="search" />
      <input
        type="search"
        aria-label="Text that the posts contain"
        placeholder="Search the text of posts"
        autoComplete="off"
        maxLength={maxChars}
        value={draft.text}
        onChange={(event) => draft.change(event.target.value)}
        onBlur={draft.commit}
        onKeyDown={(event) => event.key === 'Enter' && draft.commit()}
      />
    </label>
  );
}
