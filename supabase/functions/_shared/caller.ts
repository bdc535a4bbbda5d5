/**
 * Who calls. The gateway has checked the token's signature and expiry before a request gets here (`verify_jwt`,
 * which the infrastructure program holds on); here its claims are only read.
 */

import { fromBase64 } from "./base64.ts";
import { ApiError } from "./errors.ts";

export type Role = "anon" | "authenticated" | "service_role";

export interface Caller {
  role: Role;
  token: string;
}

const ROLES: readonly string[] = ["anon", "authenticated", "service_role"];

export function callerOf(request: Request): Caller {
  const token = request.headers.get("authorization")?.match(/^bearer (\S+)$/i)?.[1];
  const role = token && claimsOf(token).role;
  if (!token || typeof role !== "string" || !ROLES.includes(role)) {
    throw new ApiError(401, "unauthorized", "a token of this project is needed");
  }
  return { role: role as Role, token };
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const payload = fromBase64(token.split(".")[1] ?? "", "base64url");
    const claims = JSON.parse(new TextDecoder().decode(payload));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}
