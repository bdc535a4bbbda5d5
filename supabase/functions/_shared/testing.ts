/** What tests use in place of AWS and Supabase. */

import { toBase64 } from "./base64.ts";
import { type FunctionDefinition, handlerOf } from "./serve.ts";
import type { Services } from "./services.ts";
import type { Context, Kms } from "./kms.ts";
import { type Datum, Metrics } from "./metrics.ts";
import { badRequest } from "./errors.ts";
import type { Role } from "./caller.ts";

export function assert(condition: unknown, message = "expected it to hold"): asserts condition {
  if (!condition) throw new Error(message);
}

export function assertEquals(found: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`expected ${other}, found ${one}`);
}

/** Binds ciphertexts to their context as KMS does, by keeping it inside them. */
export class FakeKms implements Kms {
  calls: { call: string; alias?: string; context: Context }[] = [];

  encrypt(alias: string, plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    this.calls.push({ call: "encrypt", alias, context });
    return Promise.resolve(wrap(plaintext, context));
  }

  decrypt(ciphertext: Uint8Array, context: Context): Promise<Uint8Array> {
    this.calls.push({ call: "decrypt", context });
    const held = unwrap(ciphertext);
    if (JSON.stringify(held.context) !== JSON.stringify(context)) {
      return Promise.reject(badRequest("invalid_ciphertext", "another context"));
    }
    return Promise.resolve(Uint8Array.from(held.plaintext));
  }

  dataKey(alias: string, context: Context) {
    this.calls.push({ call: "dataKey", alias, context });
    const plaintext = crypto.getRandomValues(new Uint8Array(32));
    return Promise.resolve({ plaintext, wrapped: wrap(plaintext, context) });
  }
}

function wrap(plaintext: Uint8Array, context: Context): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ plaintext: [...plaintext], context }));
}

function unwrap(ciphertext: Uint8Array): { plaintext: number[]; context: Context } {
  try {
    return JSON.parse(new TextDecoder().decode(ciphertext));
  } catch {
    throw badRequest("invalid_ciphertext", "no ciphertext of ours");
  }
}

export interface Bench {
  kms: FakeKms;
  published: Datum[][];
  services: Services;
  call(request: Request): Promise<Response>;
}

/** A function on fake services; what a test doesn't replace works. */
export function bench(definition: FunctionDefinition, replaced: Partial<Services> = {}): Bench {
  const kms = new FakeKms();
  const published: Datum[][] = [];
  const metrics = new Metrics({ publish: (data) => Promise.resolve(void published.push(data)) }, 0);
  const variables: Record<string, string> = {
    PF_RELEASE: "release-1",
    SUPABASE_URL: "http://supabase.test",
    SUPABASE_ANON_KEY: "anon-key",
  };
  const services: Services = {
    settings: () => ({
      environment: "test",
      region: "us-east-1",
      roleArn: "arn:aws:iam::123456789012:role/test",
      externalId: "test",
      accessKeyId: "id",
      secretAccessKey: "secret",
      aliases: {
        "general-data": "alias/general",
        "user-profile-data": "alias/pii",
        "payment-method-data": "alias/payment",
      },
    }),
    kms: () => kms,
    metrics,
    fetch: () => Promise.reject(new Error("no call was expected")),
    variable: (name) => variables[name],
    ...replaced,
  };
  const handler = handlerOf(definition, services);
  return {
    kms,
    published,
    services,
    call: async (request) => {
      const response = await handler(request);
      await services.metrics.flushSoon();
      return response;
    },
  };
}

/** A token with these claims. Its signature is not checked here: the gateway does that. */
export function tokenOf(role: Role | string): string {
  const part = (value: unknown) => toBase64(new TextEncoder().encode(JSON.stringify(value)), "base64url");
  return `${part({ alg: "HS256" })}.${part({ role, sub: "user-1" })}.signature`;
}

export function post(body: unknown, role?: Role | string): Request {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (role) headers.authorization = `Bearer ${tokenOf(role)}`;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Request("http://function.test/", { method: "POST", headers, body: text });
}

export async function codeOf(response: Response): Promise<string> {
  return (await response.json()).error.code;
}
