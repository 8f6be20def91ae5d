import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ALERTS_KEY, saveRule } from '@/api/alerts';
import type { AlertRule } from '@/api/schema';
import { Dialog } from '@/components/Dialog';
import { RuleFields } from './RuleFields';
import { RulePreview } from './RulePreview';
import { draftOf, inputOf, NEW_RULE, ruleErrors } from './ruleForm';

interface RuleDialogProps {
  /** Null for a new one. */
  rule: AlertRule | null;
  webhooks: string[];
  onClose: () => void;
}

/** The form of a rule. The server says what is wrong with it, by field. */
export function RuleDialog({ rule, webhooks, onClose }: RuleDialogProps) {
  const client = useQueryClient();
  const [draft, setDraft] = useState(rule === null ? NEW_RULE : draftOf(rule));
  const saving = useMutation({
    mutationFn: () => saveRule(rule?.id ?? null, inputOf(draft)),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ALERTS_KEY });
      onClose();
    },
  });
  const errors = ruleErrors(saving.error);
  const isOfAField = Object.keys(errors).length > 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <Dialog
      title={rule === null ? 'New rule' : `Edit “${rule.name}”`}
      description={
        rule === null
          ? 'It looks at whole minutes, as they end.'
          : 'Saved, it begins anew: an alert that it has raised is resolved.'
      }
      onClose={onClose}
    >
      <form className="rule-form" onSubmit={submit} noValidate data-testid="rule-form">
        <RuleFields draft={draft} errors={errors} webhooks={webhooks} onChange={setDraft} />
        <RulePreview input={inputOf(draft)} />
        {saving.error !== null && (
          <p className="field-error" role="alert">
            {isOfAField ? 'Not saved: see the fields above.' : saving.error.message}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary" disabled={saving.isPending}>
            {rule === null ? 'Add the rule' : 'Save'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
