/** Keeps a traveller's payment method: Stripe's token and the billing details, encrypted with the payment key. */

import { type Fields, readFields, text } from "../_shared/body.ts";
import { callerOf } from "../_shared/caller.ts";
import { encryptInEnvelope } from "../_shared/encryption.ts";
import { badRequest, forbidden } from "../_shared/errors.ts";
import type { FunctionDefinition } from "../_shared/serve.ts";
import type { Services } from "../_shared/services.ts";
import { refuseCardData } from "./card_data.ts";
import { store } from "./store.ts";

const PURPOSE = "payment-method-data";
const KNOWN = ["stripePaymentMethodId", "billingName", "brand", "last4", "expMonth", "expYear"];
// Read besides the known ones only to be refused for what they are.
const CARD = ["number", "cardNumber", "card_number", "pan", "cvc", "cvv", "securityCode", "security_code"];

export const createPaymentMethod: FunctionDefinition = {
  name: "create-payment-method",
  purposes: [PURPOSE],
  post,
};

async function post(request: Request, services: Services): Promise<Response> {
  const caller = callerOf(request);
  if (caller.role !== "authenticated") throw forbidden("only a signed-in user has payment methods");
  const fields = await readFields(request, [...KNOWN, ...CARD]);
  refuseCardData(fields);
  const token = matching(fields, "stripePaymentMethodId", /^pm_[A-Za-z0-9_]{8,100}$/, "Stripe's id, pm_…");
  const billingName = text(fields, "billingName", 200);
  const brand = optional(
    fields,
    "brand",
    () => matching(fields, "brand", /^[a-z_]{2,20}$/, "Stripe's name of a brand"),
  );
  const last4 = optional(fields, "last4", () => matching(fields, "last4", /^\d{4}$/, "four digits"));
  const exp_month = optional(fields, "expMonth", () => between(fields, "expMonth", 1, 12));
  const exp_year = optional(fields, "expYear", () => between(fields, "expYear", 2000, 2100));

  const alias = services.settings().aliases[PURPOSE];
  const seal = (plaintext: string) => encryptInEnvelope(services.kms(), alias, PURPOSE, plaintext);
  const [stripe_payment_method_ciphertext, details_ciphertext] = await Promise.all([
    seal(token),
    seal(JSON.stringify({ billingName })),
  ]);
  const row = {
    stripe_payment_method_ciphertext,
    details_ciphertext,
    brand,
    last4,
    exp_month,
    exp_year,
    key_alias: alias,
  };
  return Response.json({ id: await store(row, caller, services) }, { status: 201 });
}

function matching(fields: Fields, name: string, pattern: RegExp, what: string): string {
  const value = fields[name];
  if (typeof value !== "string" || !pattern.test(value)) {
    throw badRequest("invalid_field", `${name} has to be ${what}`);
  }
  return value;
}

function between(fields: Fields, name: string, least: number, most: number): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw badRequest("invalid_field", `${name} has to be a whole number from ${least} to ${most}`);
  }
  return value;
}

function optional<T>(fields: Fields, name: string, read: () => T): T | undefined {
  return fields[name] === undefined ? undefined : read();
}
