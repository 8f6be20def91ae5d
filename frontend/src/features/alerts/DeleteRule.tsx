import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ALERTS_KEY, deleteRule } from '@/api/alerts';
import type { AlertRule } from '@/api/schema';
import { ConfirmDialog } from '@/components/ConfirmDialog';

export function DeleteRule({ rule, onClose }: { rule: AlertRule; onClose: () => void }) {
  const client = useQueryClient();
  const removal = useMutation({
    mutationFn: () => deleteRule(rule.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ALERTS_KEY });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={`Delete “${rule.name}”?`}
      text="Its alerts stay in the history; one that is raised is resolved."
      action="Delete the rule"
      isPending={removal.isPending}
      error={removal.error}
      onConfirm={() => removal.mutate()}
      onClose={onClose}
    />
  );
}
