import type { Hardware } from '@/api/schema';
import { Panel } from '@/components/Panel';
import { formatPercent } from '@/lib/format';
import { formatBytes, formatShort } from '@/lib/units';
import { Metric } from './Metric';

const UNKNOWN = "Triton's metrics endpoint is not set or does not answer: TRITON_METRICS_URL.";

/** The machine that Triton runs on, as Triton sees it. */
export function HardwarePanel({ hardware }: { hardware: Hardware }) {
  const { cpu_utilization: cpu, memory_used_bytes: used, memory_total_bytes: total } = hardware;
  return (
    <Panel title="Its machine" note="now">
      <dl className="metrics" data-testid="hardware">
        <Metric
          name="CPU"
          value={cpu === null ? null : formatPercent(cpu)}
          about={cpu === null ? UNKNOWN : 'Of all cores. Full for long means that posts wait.'}
        />
        <Metric
          name="Memory"
          value={memory(used, total)}
          about={
            used === null ? UNKNOWN : 'Used of what there is. Full, the system stops programs.'
          }
        />
        {hardware.gpus.map((gpu, index) => (
          <Metric
            key={gpu.id}
            name={hardware.gpus.length === 1 ? 'GPU' : `GPU ${index + 1}`}
            value={gpu.utilization === null ? null : formatPercent(gpu.utilization)}
            about={[
              memory(gpu.memory_used_bytes, gpu.memory_total_bytes),
              gpu.power_w === null ? null : `${formatShort(gpu.power_w)} W`,
            ]
              .filter((fact) => fact !== null)
              .join(', ')}
          />
        ))}
        {hardware.gpus.length === 0 && cpu !== null && (
          <Metric name="GPU" value="none" about="Triton sees none: the models run on the CPU." />
        )}
      </dl>
    </Panel>
  );
}

function memory(used: number | null, total: number | null): string | null {
  if (used === null) return null;
  return total === null ? formatBytes(used) : `${formatBytes(used)} of ${formatBytes(total)}`;
}
