/** What every request goes through: release header, typed errors, metrics, and the self-check that answers GET. */

import { callerOf } from "./caller.ts";
import { decrypt, encrypt } from "./encryption.ts";
import { ApiError, forbidden } from "./errors.ts";
import type { Services } from "./services.ts";
import type { Purpose } from "./settings.ts";

export interface FunctionDefinition {
  name: string;
  /** The purposes that this function encrypts under; its self-check proves each. */
  purposes: readonly Purpose[];
  post(request: Request, services: Services): Promise<Response>;
}

export interface Check {
  ok: boolean;
  latencyMs: number;
  code?: string;
}

export function handlerOf(
  definition: FunctionDefinition,
  services: Services,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const start = performance.now();
    const requestId = crypto.randomUUID();
    let response: Response;
    try {
      response = await answer(definition, request, services);
    } catch (error) {
      response = failure(definition.name, requestId, error);
    }
    response.headers.set("x-parker-flight-release", services.variable("PF_RELEASE") ?? "unnamed");
    response.headers.set("x-request-id", requestId);
    response.headers.set("cache-control", "no-store");
    services.metrics.request({
      failed: response.status >= 500 ? 1 : 0,
      milliseconds: performance.now() - start,
    });
    services.metrics.flushSoon();
    return response;
  };
}

async function answer(
  definition: FunctionDefinition,
  request: Request,
  services: Services,
): Promise<Response> {
  switch (request.method) {
    case "POST":
      return await definition.post(request, services);
    case "GET":
      if (callerOf(request).role !== "service_role") throw forbidden("the self-check is for service_role");
      return await selfCheck(definition, services);
    default: {
      const { status, code, message } = new ApiError(
        405,
        "method_not_allowed",
        "use POST, or GET for the self-check",
      );
      return Response.json({ error: { code, message } }, { status, headers: { allow: "GET, POST" } });
    }
  }
}

/** Encrypt and decrypt a random text under each purpose: the whole way to KMS and back. */
async function selfCheck(definition: FunctionDefinition, services: Services): Promise<Response> {
  const { aliases } = services.settings();
  const kms = services.kms();
  const checks = await Promise.all(definition.purposes.map(async (purpose): Promise<[Purpose, Check]> => {
    const start = performance.now();
    const latencyMs = () => Math.round(performance.now() - start);
    try {
      const probe = crypto.randomUUID();
      const ok = await decrypt(kms, purpose, await encrypt(kms, aliases[purpose], purpose, probe)) === probe;
      return [purpose, { ok, latencyMs: latencyMs() }];
    } catch (error) {
      return [purpose, {
        ok: false,
        latencyMs: latencyMs(),
        code: error instanceof ApiError ? error.code : "internal",
      }];
    }
  }));
  const healthy = checks.every(([, check]) => check.ok);
  const release = services.variable("PF_RELEASE") ?? "unnamed";
  return Response.json({ function: definition.name, release, healthy, checks: Object.fromEntries(checks) });
}

function failure(name: string, requestId: string, error: unknown): Response {
  const known = error instanceof ApiError
    ? error
    : new ApiError(500, "internal", "something went wrong here");
  if (known.status >= 500) {
    // The name of an unexpected error, not its message: that may quote what a caller sent.
    const kind = error instanceof Error ? error.name : typeof error;
    console.error(
      JSON.stringify({ function: name, requestId, status: known.status, code: known.code, kind }),
    );
  }
  const headers: HeadersInit = known.status === 503 ? { "retry-after": "1" } : {};
  return Response.json({ error: { code: known.code, message: known.message } }, {
    status: known.status,
    headers,
  });
}
