import { useMutation, useQueryClient } from '@tanstack/react-query';
import { rulesQuery, saveRule } from '@/api/alerts';
import type { AlertRule } from '@/api/schema';
import { Icon } from '@/components/Icon';
import { switched } from './ruleForm';
import { describeRule, describeValue, STATE_NAMES } from './ruleSentence';

interface RuleItemProps {
  rule: AlertRule;
  mayChange: boolean;
  onEdit: () => void;
  onDelete: () => void;
}

export function RuleItem({ rule, mayChange, onEdit, onDelete }: RuleItemProps) {
  return (
    <li
      className={`rule rule-${rule.enabled ? rule.state : 'off'}`}
      data-testid="rule"
      data-rule-id={rule.id}
    >
      <div className="rule-head">
        <strong className="rule-name">{rule.name}</strong>
        <span className="rule-state">
          <Icon name={ICONS[rule.state]} />
          {rule.enabled ? STATE_NAMES[rule.state] : 'Off'}
        </span>
      </div>
      <p>{describeRule(rule)}.</p>
      <p className="rule-value">
        {describeValue(rule)}
        {rule.webhooks.length > 0 && ` · tells ${rule.webhooks.join(', ')}`}
      </p>
      {rule.built_in && <BuiltInHint />}
      {!rule.built_in && mayChange && <Actions rule={rule} onEdit={onEdit} onDelete={onDelete} />}
    </li>
  );
}

const ICONS = { raised: 'alert', calm: 'check', unknown: 'clock' } as const;

function BuiltInHint() {
  return (
    <p className="rule-hint">
      Of the settings: <code>ALERT_NEGATIVE_RATIO_THRESHOLD</code>,{' '}
      <code>ALERT_WINDOW_MINUTES</code> and <code>ALERT_MIN_POSTS</code> change it.
    </p>
  );
}

function Actions({ rule, onEdit, onDelete }: Omit<RuleItemProps, 'mayChange'>) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (enabled: boolean) => saveRule(rule.id, switched(rule, enabled)),
    onSettled: () => client.invalidateQueries({ queryKey: rulesQuery.queryKey }),
  });
  // What was asked for shows at once, and what holds when the answer is there.
  const isOn = change.isPending ? change.variables : rule.enabled;
  return (
    <div className="rule-actions">
      <label className="check">
        <input
          type="checkbox"
          aria-label={`${rule.name} is on`}
          checked={isOn}
          disabled={change.isPending}
          onChange={({ target }) => change.mutate(target.checked)}
        />
        On
      </label>
      <button
        type="button"
        className="link-button"
        aria-label={`Edit ${rule.name}`}
        onClick={onEdit}
      >
        Edit
      </button>
      <button
        type="button"
        className="link-button"
        aria-label={`Delete ${rule.name}`}
        onClick={onDelete}
      >
        Delete
      </button>
      {change.error !== null && (
        <p className="field-error" role="alert">
          {change.error.message}
        </p>
      )}
    </div>
  );
}
