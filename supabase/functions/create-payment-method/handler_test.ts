import { assert, assertEquals, bench, codeOf, post, tokenOf } from "../_shared/testing.ts";
import { decrypt } from "../_shared/encryption.ts";
import { createPaymentMethod } from "./handler.ts";

const GOOD = {
  stripePaymentMethodId: "pm_1PabcdefGHIJ",
  billingName: "Ada Lovelace",
  brand: "visa",
  last4: "4242",
};

interface Stored {
  url: string;
  headers: Headers;
  row: Record<string, string>;
}

function storing(answer: () => Response = () => Response.json([{ id: "row-1" }], { status: 201 })) {
  const stored: Stored[] = [];
  const fetch = (url: string | URL | Request, init?: RequestInit) => {
    stored.push({
      url: String(url),
      headers: new Headers(init?.headers),
      row: JSON.parse(String(init?.body)),
    });
    return Promise.resolve(answer());
  };
  return { stored, tried: bench(createPaymentMethod, { fetch: fetch as typeof globalThis.fetch }) };
}

Deno.test("a payment method is stored as its owner, and nothing of it in the clear", async () => {
  const { stored, tried } = storing();
  const made = await tried.call(post(GOOD, "authenticated"));
  assertEquals([made.status, await made.json()], [201, { id: "row-1" }]);
  const [{ url, headers, row }] = stored as [Stored];
  assertEquals(url, "http://supabase.test/rest/v1/payment_methods?select=id");
  assertEquals(headers.get("authorization"), `Bearer ${tokenOf("authenticated")}`);
  assertEquals(headers.get("apikey"), "anon-key");
  assertEquals([row.brand, row.last4, row.key_alias], ["visa", "4242", "alias/payment"]);
  assert(!JSON.stringify(row).includes("pm_1P") && !JSON.stringify(row).includes("Ada"));
  const back = await decrypt(tried.kms, "payment-method-data", row.stripe_payment_method_ciphertext!);
  assertEquals(back, GOOD.stripePaymentMethodId);
});

for (const role of ["anon", "service_role"]) {
  Deno.test(`${role} has no payment methods`, async () => {
    const { stored, tried } = storing();
    assertEquals((await tried.call(post(GOOD, role))).status, 403);
    assertEquals(stored, []);
  });
}

const REFUSED: [string, Record<string, unknown>, string][] = [
  ["a card number in a field of its own", { number: "4242424242424242" }, "card_data_refused"],
  ["a card number in the name", { billingName: "Ada 4242 4242 4242 4242" }, "card_data_refused"],
  ["a card number as a number", { expYear: 4242424242424242 }, "card_data_refused"],
  ["a card number with slashes", { billingName: "4242/4242/4242/4242" }, "card_data_refused"],
  [
    "a card number with words between",
    { billingName: "4242 then 4242 then 4242 then 4242" },
    "card_data_refused",
  ],
  [
    "a card number in full-width digits",
    { billingName: "４２４２４２４２４２４２４２４２" },
    "card_data_refused",
  ],
  ["a card number in Arabic digits", { billingName: "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢" }, "card_data_refused"],
  ["a card number in Devanagari digits", { billingName: "४२४२४२४२४२४२४२४२" }, "card_data_refused"],
  ["a card number in circles", { billingName: "④②④②④②④②④②④②④②④②" }, "card_data_refused"],
  [
    "a card number with invisible signs",
    { billingName: "4242\u200b4242\u200b4242\u200b4242" },
    "card_data_refused",
  ],
  [
    "a card number with more digits around",
    { billingName: "Ada 99 4242424242424242 12/27" },
    "card_data_refused",
  ],
  ["a card number as the token", { stripePaymentMethodId: "pm_4242_4242_4242_4242" }, "card_data_refused"],
  [
    "a card number inside the token",
    { stripePaymentMethodId: "pm_1Px4242424242424242y" },
    "card_data_refused",
  ],
  ["a security code", { cvc: "123" }, "card_data_refused"],
  ["no token", { stripePaymentMethodId: undefined }, "invalid_field"],
  ["a token of another kind", { stripePaymentMethodId: "tok_visa12345" }, "invalid_field"],
  ["no name", { billingName: "" }, "invalid_field"],
  ["a month that isn't", { expMonth: 13 }, "invalid_field"],
  ["last4 of five digits", { last4: "42424" }, "invalid_field"],
  ["an unknown field", { userId: "someone-else" }, "unknown_field"],
];

for (const [what, change, code] of REFUSED) {
  Deno.test(`${what} is refused with ${code}, and the value isn't repeated`, async () => {
    const { stored, tried } = storing();
    const refused = await tried.call(post({ ...GOOD, ...change }, "authenticated"));
    const answer = await refused.clone().text();
    assertEquals([refused.status, await codeOf(refused)], [400, code]);
    assert(!answer.includes("4242") && !answer.includes("123"));
    assertEquals(stored, []);
    assertEquals(tried.kms.calls, []);
  });
}

const TAKEN: [string, Record<string, unknown>][] = [
  ["a name with a number", { billingName: "Ada Lovelace 3rd, flat 1815" }],
  ["a long number without the check digit", { billingName: "4242424242424" }],
  ["a token with a card's digits among its letters", { stripePaymentMethodId: "pm_4242a4242b4242c4242d" }],
];

for (const [what, change] of TAKEN) {
  Deno.test(`${what} is taken`, async () => {
    const { tried } = storing();
    assertEquals((await tried.call(post({ ...GOOD, ...change }, "authenticated"))).status, 201);
  });
}

for (
  const [status, expected, code] of [
    [500, 503, "store_unavailable"],
    [403, 403, "forbidden"],
    [409, 503, "store_unavailable"],
  ] as const
) {
  Deno.test(`the database answering ${status} is answered with ${expected}`, async () => {
    const { tried } = storing(() => new Response("{}", { status }));
    const failed = await tried.call(post(GOOD, "authenticated"));
    assertEquals([failed.status, await codeOf(failed)], [expected, code]);
  });
}

Deno.test("the database not answering is answered with 503", async () => {
  const fetch = () => Promise.reject(new DOMException("timed out", "TimeoutError"));
  const failed = await bench(createPaymentMethod, { fetch }).call(post(GOOD, "authenticated"));
  assertEquals([failed.status, await codeOf(failed)], [503, "store_unavailable"]);
});
