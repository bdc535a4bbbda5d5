import { InvalidCiphertextException, type KMSClient } from "@aws-sdk/client-kms";
import { ApiError } from "./errors.ts";
import { awsKms } from "./kms.ts";
import { Metrics } from "./metrics.ts";
import { assertEquals } from "./testing.ts";

const CONTEXT = { application: "parker-flight", purpose: "general-data" };

function failing(send: (command: unknown, options: { abortSignal: AbortSignal }) => Promise<never>) {
  const seen: { failed: number }[] = [];
  const metrics = new Metrics({ publish: () => Promise.resolve() });
  metrics.kms = (one) => void seen.push(one);
  return { seen, kms: awsKms({ send } as unknown as KMSClient, metrics, 20) };
}

async function errorOf(promise: Promise<unknown>): Promise<[number, string]> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return [error.status, error.code];
    throw error;
  }
  throw new Error("it did not fail");
}

Deno.test("KMS that hangs is given up and counted as a failure", async () => {
  const { seen, kms } = failing((_, { abortSignal }) =>
    new Promise((_resolve, reject) => abortSignal.addEventListener("abort", () => reject(abortSignal.reason)))
  );
  assertEquals(await errorOf(kms.encrypt("alias/x", new Uint8Array([1]), CONTEXT)), [503, "kms_unavailable"]);
  assertEquals(seen.map(({ failed }) => failed), [1]);
});

Deno.test("KMS that refuses us is a failure, a bad ciphertext is the caller's", async () => {
  const denied = failing(() =>
    Promise.reject(Object.assign(new Error("no"), { name: "AccessDeniedException" }))
  );
  assertEquals(await errorOf(denied.kms.dataKey("alias/x", CONTEXT)), [503, "kms_unavailable"]);
  assertEquals(await errorOf(denied.kms.decrypt(new Uint8Array([1]), CONTEXT)), [403, "ciphertext_refused"]);
  assertEquals(denied.seen.map(({ failed }) => failed), [1, 1]);
  const bad = failing(() => Promise.reject(new InvalidCiphertextException({ message: "", $metadata: {} })));
  assertEquals(await errorOf(bad.kms.decrypt(new Uint8Array([1]), CONTEXT)), [400, "invalid_ciphertext"]);
  assertEquals(bad.seen.map(({ failed }) => failed), [0]);
});
