/** Storing a payment method through Supabase's REST API as its owner: row-level security decides, not this code. */

import type { Caller } from "../_shared/caller.ts";
import { ApiError, unavailable } from "../_shared/errors.ts";
import type { Services } from "../_shared/services.ts";

const STORE_MILLISECONDS = 5000;

export interface PaymentMethodRow {
  stripe_payment_method_ciphertext: string;
  details_ciphertext: string;
  brand?: string;
  last4?: string;
  exp_month?: number;
  exp_year?: number;
  key_alias: string;
}

/** Returns the new row's id. */
export async function store(row: PaymentMethodRow, caller: Caller, services: Services): Promise<string> {
  const url = services.variable("SUPABASE_URL");
  const apikey = services.variable("SUPABASE_ANON_KEY");
  if (!url || !apikey) throw unavailable("not_configured", "SUPABASE_URL or SUPABASE_ANON_KEY is not set");
  const answer = await call(services, `${url}/rest/v1/payment_methods?select=id`, {
    method: "POST",
    headers: {
      apikey,
      authorization: `Bearer ${caller.token}`,
      "content-type": "application/json",
      prefer: "return=representation",
    },
    body: JSON.stringify(row),
    signal: AbortSignal.timeout(STORE_MILLISECONDS),
  });
  if (answer.status === 401 || answer.status === 403) {
    await answer.body?.cancel();
    throw new ApiError(403, "forbidden", "the database does not let this user store a payment method");
  }
  if (!answer.ok) {
    await answer.body?.cancel();
    console.error(JSON.stringify({ code: "store_failed", status: answer.status }));
    throw unavailable("store_unavailable", "the payment method could not be stored; try again");
  }
  const rows: unknown = await answer.json();
  const id = Array.isArray(rows) ? rows[0]?.id : undefined;
  if (typeof id !== "string") throw unavailable("store_unavailable", "the database gave no id");
  return id;
}

async function call(services: Services, url: string, request: RequestInit): Promise<Response> {
  try {
    return await services.fetch(url, request);
  } catch (error) {
    console.error(JSON.stringify({ code: "store_failed", error: error instanceof Error ? error.name : "" }));
    throw unavailable("store_unavailable", "the database does not answer; try again");
  }
}
