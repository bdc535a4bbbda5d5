/** Publishing metrics to CloudWatch. */

import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { Datum, Publisher } from "./metrics.ts";

const LARGEST_VALUES = 150; // distinct values that CloudWatch takes in one datum
const PUBLISH_MILLISECONDS = 5000;

export function cloudWatch(client: () => CloudWatchClient, environment: () => string, fn: string): Publisher {
  return {
    async publish(data: Datum[]): Promise<void> {
      const dimensions = [{ Name: "Environment", Value: environment() }, { Name: "Function", Value: fn }];
      const namespaces = Map.groupBy(data, (datum) => datum.namespace);
      await Promise.all([...namespaces].map(async ([Namespace, of]) => {
        const MetricData = of.flatMap((datum) => inPieces(datum, dimensions));
        const abortSignal = AbortSignal.timeout(PUBLISH_MILLISECONDS);
        await client().send(new PutMetricDataCommand({ Namespace, MetricData }), { abortSignal });
      }));
    },
  };
}

function inPieces(datum: Datum, Dimensions: MetricDatum["Dimensions"]): MetricDatum[] {
  const values = [...datum.values];
  const pieces: MetricDatum[] = [];
  for (let start = 0; start < values.length; start += LARGEST_VALUES) {
    const piece = values.slice(start, start + LARGEST_VALUES);
    pieces.push({
      MetricName: datum.name,
      Unit: datum.unit,
      Dimensions,
      StorageResolution: 1, // alarms on what is critical look every ten seconds
      Values: piece.map(([value]) => value),
      Counts: piece.map(([, count]) => count),
    });
  }
  return pieces;
}
