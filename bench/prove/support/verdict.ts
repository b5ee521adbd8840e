import type { CrowdReport } from "./crowd.ts";
import type { ClientPlan } from "./crowd-messages.ts";
import type { Publisher } from "./publisher.ts";
import { type Owed, type PublishedStream, reconcile, type Verdict } from "./reconcile.ts";
import { itemsOf } from "./record.ts";
import type { RedisServer } from "./redis-server.ts";
import type { Setting } from "./scenario.ts";
import type { Tenant } from "./tenants.ts";

/** Ids of all entries Redis has, by stream. */
export async function entriesOf(
  { commands }: RedisServer,
  tenants: readonly Tenant[],
): Promise<Map<string, Set<string>>> {
  const keys = [...new Set(tenants.flatMap(({ streams }) => streams.map(({ key }) => key)))];
  const lists = await Promise.all(keys.map((key) => commands.xrange(key, "-", "+")));
  return new Map(keys.map((key, i) => [key, new Set(lists[i]!.map(([id]) => id))]));
}

export interface JudgeOptions {
  readonly report: CrowdReport;
  readonly publisher: Publisher;
  readonly tenants: readonly Tenant[];
  readonly kept: ReadonlyMap<string, ReadonlySet<string>>;
  readonly setting: Setting;
}

export interface Judgement {
  readonly events: number;
  readonly cuts: number;
  readonly totals: Omit<Verdict, "examples">;
  readonly problems: readonly string[];
}

const EXAMPLES_SHOWN = 8;

/** Compares what every client got with what was published, and why its connections ended with what was allowed. */
export function judge({ report, publisher, tenants, kept, setting }: JudgeOptions): Judgement {
  const published = tenants.map(({ number, streams }) =>
    streams.map(({ topic, key }, index): PublishedStream => {
      const ids = publisher.published[number]![index]!;
      return { topic, events: ids.map((id) => ({ id, isGone: id !== null && !kept.get(key)!.has(id) })) };
    }),
  );
  const totals = { deliveries: 0, gaps: 0, explained: 0, lost: 0, repeated: 0, outOfOrder: 0, foreign: 0 };
  const problems: string[] = [];
  let cuts = 0;
  for (const { plan, report: client } of report.clients) {
    const { examples, ...counts } = reconcile(itemsOf(client.record), owedTo(plan, published[plan.tenant]!, setting));
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
    problems.push(...examples.map((example) => `${plan.name}: ${example}`));
    cuts += client.cuts + client.ends.length;
    if (!(setting.mayBeCut ?? []).includes(plan.kind)) {
      problems.push(...client.ends.map((why) => `${plan.name} was cut: ${why}`));
    }
    const refused = client.refusals.filter((status) => status !== 503 && status !== 429);
    if (refused.length > 0) problems.push(`${plan.name} was refused with ${refused[0]}`);
  }
  const left = problems.length - EXAMPLES_SHOWN;
  const shown = left > 0 ? [...problems.slice(0, EXAMPLES_SHOWN), `and ${left} more`] : problems;
  const events = published
    .flat()
    .reduce((sum, stream) => sum + stream.events.filter(({ id }) => id !== null).length, 0);
  return { events, cuts, totals, problems: shown };
}

function owedTo({ tenant, streams }: ClientPlan, published: readonly PublishedStream[], setting: Setting): Owed {
  const { gaps = [], gapTopics } = setting;
  return {
    tenant,
    streams: published.map((stream, index) => (streams.includes(index) ? stream : null)),
    mayMiss: (topic, reason) => gaps.includes(reason) && (gapTopics?.includes(topic) ?? true),
  };
}
