/** Encrypts texts for signed-in users, decrypts them for the backend. */

import { readFields, text } from "../_shared/body.ts";
import { callerOf } from "../_shared/caller.ts";
import { decrypt, encrypt } from "../_shared/encryption.ts";
import { badRequest, forbidden } from "../_shared/errors.ts";
import type { FunctionDefinition } from "../_shared/serve.ts";
import type { Services } from "../_shared/services.ts";
import { type Purpose, PURPOSES } from "../_shared/settings.ts";

// So that the ciphertext, a third longer in base64, fits into a body on its way back.
const LARGEST_PLAINTEXT = 32 * 1024;
const LARGEST_CIPHERTEXT = 60 * 1024;

export const encryptData: FunctionDefinition = { name: "encrypt-data", purposes: PURPOSES, post };

async function post(request: Request, services: Services): Promise<Response> {
  const caller = callerOf(request);
  if (caller.role === "anon") throw forbidden("sign in first");
  const fields = await readFields(request, ["purpose", "plaintext", "ciphertext"]);
  const purpose = purposeOf(fields.purpose);
  if (("plaintext" in fields) === ("ciphertext" in fields)) {
    throw badRequest("invalid_field", "give either plaintext or ciphertext");
  }
  if ("ciphertext" in fields) {
    if (caller.role !== "service_role") throw forbidden("only service_role decrypts");
    return Response.json({
      plaintext: await decrypt(services.kms(), purpose, text(fields, "ciphertext", LARGEST_CIPHERTEXT)),
      purpose,
    });
  }
  const alias = services.settings().aliases[purpose];
  const ciphertext = await encrypt(
    services.kms(),
    alias,
    purpose,
    text(fields, "plaintext", LARGEST_PLAINTEXT),
  );
  return Response.json({ ciphertext, keyAlias: alias, purpose });
}

function purposeOf(value: unknown): Purpose {
  const purpose = PURPOSES.find((one) => one === value);
  if (!purpose) throw badRequest("invalid_field", `purpose has to be one of ${PURPOSES.join(", ")}`);
  return purpose;
}
