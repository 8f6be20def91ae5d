import { useState } from 'react';
import { useSession } from '@/api/session';
import { CopyButton } from '@/components/CopyButton';
import { Panel } from '@/components/Panel';
import { Scroller } from '@/components/Scroller';
import { Segmented } from '@/components/Segmented';
import { curlCommand, pythonProgram } from './request';

const LANGUAGES = [
  { value: 'curl', label: 'curl' },
  { value: 'python', label: 'Python' },
] as const;
type Language = (typeof LANGUAGES)[number]['value'];

/** The same question, to be asked from elsewhere. */
export function RequestCode({ texts }: { texts: readonly string[] }) {
  const [language, setLanguage] = useState<Language>('curl');
  const write = language === 'curl' ? curlCommand : pythonProgram;
  const code = write(window.location.origin, texts, useSession()?.required);
  return (
    <Panel
      title="The same as a request"
      actions={
        <>
          <Segmented
            legend="Language"
            segments={LANGUAGES}
            value={language}
            onChange={setLanguage}
          />
          <CopyButton label="Copy" text={() => code} />
        </>
      }
    >
      <Scroller label="Request" className="try-code-box">
        <pre className="try-code" data-testid="try-code">
          {code}
        </pre>
      </Scroller>
    </Panel>
  );
}
