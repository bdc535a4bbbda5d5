/**
 * What the alarms watch: requests, errors and latency of a function, operations, failures and latency of KMS.
 *
 * Counted during a request, published after its answer, many requests in one call; CloudWatch being slow or down
 * costs a metric and never a request.
 */

export interface Datum {
  namespace: string;
  name: string;
  unit: "Count" | "Milliseconds";
  /** Value -> how often it was seen: sums, averages and percentiles stay exact. */
  values: Map<number, number>;
}

export interface Publisher {
  publish(data: Datum[]): Promise<void>;
}

export const FUNCTIONS = "ParkerFlight/Functions";
export const KMS = "ParkerFlight/KMS";
const GATHER_MILLISECONDS = 1000;

declare const EdgeRuntime: { waitUntil(promise: Promise<unknown>): void } | undefined;

export class Metrics {
  #data = new Map<string, Datum>();
  #flushing: Promise<void> | undefined;

  constructor(readonly publisher: Publisher, readonly gatherMilliseconds: number = GATHER_MILLISECONDS) {}

  request(seen: { failed: number; milliseconds: number }): void {
    this.#count(FUNCTIONS, "Requests", "Errors", seen);
  }

  kms(seen: { failed: number; milliseconds: number }): void {
    this.#count(KMS, "Operations", "Failures", seen);
  }

  /** Publish soon, while the platform keeps the function awake; resolves when it is done. */
  flushSoon(): Promise<void> {
    this.#flushing ??= this.#flush();
    if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(this.#flushing);
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.gatherMilliseconds));
    const data = [...this.#data.values()];
    this.#data = new Map();
    this.#flushing = undefined;
    try {
      await this.publisher.publish(data);
    } catch (error) {
      console.error(
        JSON.stringify({ code: "metrics_not_published", error: error instanceof Error ? error.name : "" }),
      );
    }
  }

  #count(namespace: string, all: string, bad: string, seen: { failed: number; milliseconds: number }): void {
    this.#add(namespace, all, "Count", 1);
    this.#add(namespace, bad, "Count", seen.failed);
    this.#add(namespace, "Latency", "Milliseconds", Math.round(seen.milliseconds));
  }

  #add(namespace: string, name: string, unit: Datum["unit"], value: number): void {
    const key = `${namespace} ${name}`;
    const datum = this.#data.get(key) ?? { namespace, name, unit, values: new Map() };
    datum.values.set(value, (datum.values.get(value) ?? 0) + 1);
    this.#data.set(key, datum);
  }
}
