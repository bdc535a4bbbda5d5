import type { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { cloudWatch } from "./cloudwatch.ts";
import { type Datum, Metrics } from "./metrics.ts";
import { assertEquals } from "./testing.ts";

Deno.test("many requests are one publication, with every value kept", async () => {
  const published: Datum[][] = [];
  const metrics = new Metrics({ publish: (data) => Promise.resolve(void published.push(data)) }, 1);
  for (const milliseconds of [10, 10, 30]) {
    metrics.request({ failed: milliseconds === 30 ? 1 : 0, milliseconds });
    metrics.flushSoon();
  }
  await metrics.flushSoon();
  assertEquals(published.length, 1);
  const values = Object.fromEntries(published[0]!.map((datum) => [datum.name, [...datum.values]]));
  assertEquals(values, { Requests: [[1, 3]], Errors: [[0, 2], [1, 1]], Latency: [[10, 2], [30, 1]] });
});

Deno.test("CloudWatch failing costs a metric and nothing else", async () => {
  const metrics = new Metrics({ publish: () => Promise.reject(new Error("down")) }, 0);
  metrics.request({ failed: 0, milliseconds: 1 });
  await metrics.flushSoon();
});

Deno.test("what CloudWatch gets fits its limits and names environment and function", async () => {
  const sent: PutMetricDataCommand["input"][] = [];
  const client = { send: (command: PutMetricDataCommand) => Promise.resolve(sent.push(command.input)) };
  const publisher = cloudWatch(() => client as unknown as CloudWatchClient, () => "test", "encrypt-data");
  const values = new Map(Array.from({ length: 151 }, (_, index) => [index, 1]));
  await publisher.publish([{
    namespace: "ParkerFlight/Functions",
    name: "Latency",
    unit: "Milliseconds",
    values,
  }]);
  assertEquals(sent.map((input) => input.MetricData!.map((datum) => datum.Values!.length)), [[150, 1]]);
  assertEquals(sent[0]!.MetricData!.map((datum) => datum.StorageResolution), [1, 1]);
  assertEquals(sent[0]!.MetricData![0]!.Dimensions, [
    { Name: "Environment", Value: "test" },
    { Name: "Function", Value: "encrypt-data" },
  ]);
});
