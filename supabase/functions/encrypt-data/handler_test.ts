import { assert, assertEquals, bench, codeOf, post, tokenOf } from "../_shared/testing.ts";
import { fromBase64, toBase64 } from "../_shared/base64.ts";
import { unavailable } from "../_shared/errors.ts";
import { type Purpose, PURPOSES, readSettings } from "../_shared/settings.ts";
import { encryptData } from "./handler.ts";

const ALIASES: Record<Purpose, string> = {
  "general-data": "alias/general",
  "user-profile-data": "alias/pii",
  "payment-method-data": "alias/payment",
};

const MAY: Record<string, { encrypt: number; decrypt: number }> = {
  anon: { encrypt: 403, decrypt: 403 },
  authenticated: { encrypt: 200, decrypt: 403 },
  service_role: { encrypt: 200, decrypt: 200 },
  "": { encrypt: 401, decrypt: 401 },
  postgres: { encrypt: 401, decrypt: 401 },
};

for (const [role, may] of Object.entries(MAY)) {
  for (const purpose of PURPOSES) {
    Deno.test(`${role || "nobody"} may encrypt ${may.encrypt}, decrypt ${may.decrypt} under ${purpose}`, async () => {
      const tried = bench(encryptData);
      const encrypted = await tried.call(post({ purpose, plaintext: "text" }, role));
      assertEquals(encrypted.status, may.encrypt);
      const made = await (await tried.call(post({ purpose, plaintext: "text" }, "service_role"))).json();
      assertEquals(made.keyAlias, ALIASES[purpose]);
      const decrypted = await tried.call(post({ purpose, ciphertext: made.ciphertext }, role));
      assertEquals(decrypted.status, may.decrypt);
      const answer = await decrypted.text();
      assertEquals(answer.includes("text"), may.decrypt === 200);
    });
  }
}

Deno.test("every KMS call carries the application and the purpose", async () => {
  const tried = bench(encryptData);
  await tried.call(post({ purpose: "general-data", plaintext: "text" }, "authenticated"));
  assertEquals(tried.kms.calls, [{
    call: "encrypt",
    alias: "alias/general",
    context: { application: "parker-flight", purpose: "general-data" },
  }]);
});

Deno.test("a ciphertext of one purpose is refused under another", async () => {
  const tried = bench(encryptData);
  const request = post({ purpose: "general-data", plaintext: "text" }, "service_role");
  const { ciphertext } = await (await tried.call(request)).json();
  const refused = await tried.call(post({ purpose: "payment-method-data", ciphertext }, "service_role"));
  assertEquals([refused.status, await codeOf(refused)], [400, "invalid_ciphertext"]);
});

for (const size of [4096, 4097, 32 * 1024]) {
  Deno.test(`a text of ${size} bytes comes back`, async () => {
    const tried = bench(encryptData);
    const plaintext = "x".repeat(size);
    const request = post({ purpose: "general-data", plaintext }, "service_role");
    const { ciphertext } = await (await tried.call(request)).json();
    assertEquals(ciphertext.startsWith("pf1."), size > 4096);
    const back = await tried.call(post({ purpose: "general-data", ciphertext: ciphertext }, "service_role"));
    assertEquals((await back.json()).plaintext, plaintext);
  });
}

for (
  const [what, plaintext] of [["short", "\ufeffAda \0 \u{1f6eb}"], ["long", "\ufeff" + "é".repeat(5000)]]
) {
  Deno.test(`a ${what} text that begins with U+FEFF comes back letter by letter`, async () => {
    const tried = bench(encryptData);
    const request = post({ purpose: "general-data", plaintext }, "service_role");
    const { ciphertext } = await (await tried.call(request)).json();
    const back = await tried.call(post({ purpose: "general-data", ciphertext }, "service_role"));
    assertEquals((await back.json()).plaintext, plaintext);
  });
}

Deno.test("an old ciphertext of bytes that are no text is refused and not damaged", async () => {
  const tried = bench(encryptData);
  const context = { application: "parker-flight", purpose: "general-data" };
  const ciphertext = toBase64(
    await tried.kms.encrypt("alias/general", Uint8Array.of(0xff, 0x41), context),
    "base64",
  );
  const refused = await tried.call(post({ purpose: "general-data", ciphertext }, "service_role"));
  assertEquals([refused.status, await codeOf(refused)], [400, "not_text"]);
});

Deno.test("a body that is not UTF-8 is refused", async () => {
  const { headers } = post({}, "service_role");
  const body = Uint8Array.from(
    '{"purpose": "general-data", "plaintext": "caf\xe9"}',
    (one) => one.charCodeAt(0),
  );
  const request = new Request("http://function.test/", { method: "POST", headers, body });
  const refused = await bench(encryptData).call(request);
  assertEquals([refused.status, await codeOf(refused)], [400, "invalid_json"]);
});

for (const bytes of [1, 16, 31, 32, 33]) {
  Deno.test(`an envelope whose wrapped key has ${bytes} bytes and is none is refused`, async () => {
    const tried = bench(encryptData);
    const encrypt = async (plaintext: string): Promise<string> =>
      (await (await tried.call(post({ purpose: "general-data", plaintext }, "service_role"))).json())
        .ciphertext;
    const wrapped = fromBase64(await encrypt("x".repeat(bytes)), "base64")!;
    const parts = (await encrypt("x".repeat(5000))).split(".");
    const ciphertext = [parts[0], toBase64(wrapped, "base64url"), parts[2], parts[3]].join(".");
    const refused = await tried.call(post({ purpose: "general-data", ciphertext }, "service_role"));
    assertEquals([refused.status, await codeOf(refused)], [400, "invalid_ciphertext"]);
  });
}

Deno.test("a changed envelope is refused", async () => {
  const tried = bench(encryptData);
  const request = post({ purpose: "general-data", plaintext: "x".repeat(5000) }, "service_role");
  const { ciphertext } = await (await tried.call(request)).json();
  const parts = ciphertext.split(".");
  const flipped = parts[3].startsWith("A") ? `B${parts[3].slice(1)}` : `A${parts[3].slice(1)}`;
  for (
    const broken of [[...parts.slice(0, 3), flipped], parts.slice(0, 3), [...parts, parts[1]], [
      "pf1",
      "",
      "",
      "",
    ]]
  ) {
    const refused = await tried.call(
      post({ purpose: "general-data", ciphertext: broken.join(".") }, "service_role"),
    );
    assertEquals([refused.status, await codeOf(refused)], [400, "invalid_ciphertext"]);
  }
});

const REFUSED: [string, unknown, number, string][] = [
  ["no JSON", "{", 400, "invalid_json"],
  ["a list", [], 400, "invalid_json"],
  ["an unknown purpose", { purpose: "other", plaintext: "x" }, 400, "invalid_field"],
  ["no purpose", { plaintext: "x" }, 400, "invalid_field"],
  ["both directions", { purpose: "general-data", plaintext: "x", ciphertext: "y" }, 400, "invalid_field"],
  ["no direction", { purpose: "general-data" }, 400, "invalid_field"],
  ["an empty text", { purpose: "general-data", plaintext: "" }, 400, "invalid_field"],
  ["half a surrogate pair", '{"purpose": "general-data", "plaintext": "\\ud83d"}', 400, "invalid_field"],
  ["a number", { purpose: "general-data", plaintext: 1 }, 400, "invalid_field"],
  ["an unknown field", { purpose: "general-data", plaintext: "x", keyId: "mine" }, 400, "unknown_field"],
  ["no base64", { purpose: "general-data", ciphertext: "%%%" }, 400, "invalid_ciphertext"],
  [
    "a text that is too long",
    { purpose: "general-data", plaintext: "é".repeat(16_385) },
    400,
    "invalid_field",
  ],
  ["too much", { purpose: "general-data", plaintext: "x".repeat(70_000) }, 413, "too_large"],
];

for (const [what, body, status, code] of REFUSED) {
  Deno.test(`${what} is refused with ${status} ${code}`, async () => {
    const refused = await bench(encryptData).call(post(body, "service_role"));
    assertEquals([refused.status, await codeOf(refused)], [status, code]);
  });
}

Deno.test("another content type and another method are refused", async () => {
  const tried = bench(encryptData);
  const headers = { authorization: `Bearer ${tokenOf("service_role")}`, "content-type": "text/plain" };
  const url = "http://function.test/";
  assertEquals((await tried.call(new Request(url, { method: "POST", headers, body: "x" }))).status, 415);
  const refused = await tried.call(new Request(url, { method: "PUT", headers, body: "x" }));
  assertEquals([refused.status, refused.headers.get("allow")], [405, "GET, POST"]);
});

Deno.test("KMS failing is answered with 503 and never with the text", async () => {
  const fail = () => Promise.reject(unavailable("kms_unavailable", "the encryption service does not answer"));
  const tried = bench(encryptData, { kms: () => ({ encrypt: fail, decrypt: fail, dataKey: fail }) });
  const failed = await tried.call(
    post({ purpose: "general-data", plaintext: "very private" }, "authenticated"),
  );
  assertEquals([failed.status, failed.headers.get("retry-after")], [503, "1"]);
  assert(!(await failed.text()).includes("very private"));
});

Deno.test("an error that nobody expected tells nothing", async () => {
  const fail = () => Promise.reject(new TypeError("very private"));
  const tried = bench(encryptData, { kms: () => ({ encrypt: fail, decrypt: fail, dataKey: fail }) });
  const failed = await tried.call(post({ purpose: "general-data", plaintext: "x" }, "authenticated"));
  assertEquals(failed.status, 500);
  assert(!(await failed.text()).includes("very private"));
});

Deno.test("a missing setting is named, and the function stays up", async () => {
  const tried = bench(encryptData, { settings: () => readSettings(() => undefined) });
  const failed = await tried.call(post({ purpose: "general-data", plaintext: "x" }, "authenticated"));
  const { error } = await failed.json();
  assertEquals([failed.status, error.code], [503, "not_configured"]);
  assert(error.message.includes("PF_ENVIRONMENT"));
});

Deno.test("every answer names the release", async () => {
  for (const request of [post({}, "service_role"), post({}), new Request("http://function.test/")]) {
    assertEquals(
      (await bench(encryptData).call(request)).headers.get("x-parker-flight-release"),
      "release-1",
    );
  }
});

Deno.test("the self-check proves each purpose, for service_role alone", async () => {
  const get = (role: string) =>
    new Request("http://function.test/", { headers: { authorization: `Bearer ${tokenOf(role)}` } });
  const tried = bench(encryptData);
  const report = await (await tried.call(get("service_role"))).json();
  assertEquals([report.function, report.release, report.healthy], ["encrypt-data", "release-1", true]);
  assertEquals(Object.keys(report.checks), [...PURPOSES]);
  assertEquals((await tried.call(get("authenticated"))).status, 403);
});

Deno.test("the self-check says which purpose fails", async () => {
  const tried = bench(encryptData);
  const encrypt = tried.kms.encrypt.bind(tried.kms);
  tried.kms.encrypt = (alias, plaintext, context) =>
    alias === "alias/pii"
      ? Promise.reject(unavailable("kms_unavailable", ""))
      : encrypt(alias, plaintext, context);
  const request = new Request("http://function.test/", {
    headers: { authorization: `Bearer ${tokenOf("service_role")}` },
  });
  const report = await (await tried.call(request)).json();
  assertEquals([report.healthy, report.checks["user-profile-data"].code], [false, "kms_unavailable"]);
  assertEquals(report.checks["general-data"].ok, true);
});

Deno.test("requests and server errors are counted, a caller's mistake is no error", async () => {
  const tried = bench(encryptData);
  await tried.call(post("{", "authenticated"));
  const [errors] = tried.published.flat().filter((datum) => datum.name === "Errors");
  assertEquals([...errors!.values], [[0, 1]]);
});
