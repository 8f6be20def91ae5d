import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { rulesQuery } from '@/api/alerts';
import type { AlertRule } from '@/api/schema';
import { useMayChange } from '@/api/session';
import { AdminHint } from '@/components/AdminHint';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { DeleteRule } from './DeleteRule';
import { RuleDialog } from './RuleDialog';
import { RuleItem } from './RuleItem';
import { Webhooks } from './Webhooks';
import './rules.css';

type Asked = { what: 'edit'; rule: AlertRule | null } | { what: 'delete'; rule: AlertRule };

/** What raises an alert: the rule of the settings and those made here. */
export function Rules() {
  const mayChange = useMayChange();
  const query = useQuery(rulesQuery);
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const own = query.data?.rules.filter((rule) => !rule.built_in).length ?? 0;
  const isFull = query.data !== undefined && own >= query.data.limit;
  return (
    <Panel
      title="Rules"
      note={isFull ? `${own}: no more fit` : undefined}
      actions={
        mayChange && (
          <button
            type="button"
            className="button"
            disabled={isFull}
            onClick={() => setAsked({ what: 'edit', rule: null })}
          >
            <Icon name="plus" />
            New rule
          </button>
        )
      }
    >
      <QueryView query={query}>
        {({ rules, webhooks }) => (
          <>
            <ul className="rules" data-testid="rules">
              {rules.map((rule) => (
                <RuleItem
                  key={rule.id}
                  rule={rule}
                  mayChange={mayChange}
                  onEdit={() => setAsked({ what: 'edit', rule })}
                  onDelete={() => setAsked({ what: 'delete', rule })}
                />
              ))}
            </ul>
            {!mayChange && <AdminHint what="Changing rules and testing webhooks" />}
            <Webhooks names={webhooks} mayTest={mayChange} />
            {asked?.what === 'edit' && (
              <RuleDialog rule={asked.rule} webhooks={webhooks} onClose={close} />
            )}
          </>
        )}
      </QueryView>
      {asked?.what === 'delete' && <DeleteRule rule={asked.rule} onClose={close} />}
    </Panel>
  );
}
