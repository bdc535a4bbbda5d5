/**
 * Ciphertexts, in two forms:
 *
 * - up to 4 KiB: the blob that KMS made, in base64. That is also what was stored before this project.
 * - longer, or where asked for: `pf1.<wrapped data key>.<nonce>.<AES-256-GCM ciphertext>`, each in base64url. The data
 *   key is wrapped under the encryption context, and the context is authenticated with the data as well.
 */

import { type Alphabet, fromBase64, toBase64 } from "./base64.ts";
import { badRequest } from "./errors.ts";
import type { Context, Kms } from "./kms.ts";
import type { Purpose } from "./settings.ts";

export const LARGEST_DIRECT = 4096; // what KMS itself encrypts
const ENVELOPE = "pf1";
const NONCE_BYTES = 12;

export const contextOf = (purpose: Purpose): Context => ({ application: "parker-flight", purpose });

export async function encrypt(kms: Kms, alias: string, purpose: Purpose, plaintext: string): Promise<string> {
  const bytes = new TextEncoder().encode(plaintext);
  if (bytes.length > LARGEST_DIRECT) return await seal(kms, alias, purpose, bytes);
  return toBase64(await kms.encrypt(alias, bytes, contextOf(purpose)), "base64");
}

/** Always with a data key of its own. */
export async function encryptInEnvelope(
  kms: Kms,
  alias: string,
  purpose: Purpose,
  text: string,
): Promise<string> {
  return await seal(kms, alias, purpose, new TextEncoder().encode(text));
}

export async function decrypt(kms: Kms, purpose: Purpose, ciphertext: string): Promise<string> {
  const bytes = ciphertext.startsWith(`${ENVELOPE}.`)
    ? await open(kms, purpose, ciphertext)
    : await kms.decrypt(bytesOf(ciphertext, "base64"), contextOf(purpose));
  try {
    // A text may begin with U+FEFF; and what isn't a text must not come back as another one.
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    throw badRequest("not_text", "what this ciphertext holds is not a text");
  }
}

async function seal(kms: Kms, alias: string, purpose: Purpose, plaintext: Uint8Array): Promise<string> {
  const context = contextOf(purpose);
  const dataKey = await kms.dataKey(alias, context);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const key = await importKey(dataKey.plaintext, "encrypt");
  dataKey.plaintext.fill(0);
  const sealed = await crypto.subtle.encrypt(parameters(nonce, context), key, plaintext as BufferSource);
  return [ENVELOPE, ...[dataKey.wrapped, nonce, new Uint8Array(sealed)].map(base64url)].join(".");
}

async function open(kms: Kms, purpose: Purpose, ciphertext: string): Promise<Uint8Array> {
  const parts = ciphertext.split(".").slice(1).map((part) => bytesOf(part, "base64url"));
  const [wrapped, nonce, sealed] = parts;
  if (parts.length !== 3 || !wrapped || !sealed || nonce?.length !== NONCE_BYTES) throw invalid();
  const context = contextOf(purpose);
  const plaintextKey = await kms.decrypt(wrapped, context);
  try {
    // What KMS decrypts need not be a data key: anybody's short text is wrapped alike.
    const key = await importKey(plaintextKey, "decrypt");
    return new Uint8Array(
      await crypto.subtle.decrypt(parameters(nonce, context), key, sealed as BufferSource),
    );
  } catch {
    throw invalid();
  } finally {
    plaintextKey.fill(0);
  }
}

const base64url = (bytes: Uint8Array) => toBase64(bytes, "base64url");

const invalid = () =>
  badRequest("invalid_ciphertext", "this ciphertext was not made for this purpose, or is damaged");

function bytesOf(encoded: string, alphabet: Alphabet): Uint8Array {
  const bytes = fromBase64(encoded, alphabet);
  if (!bytes?.length) throw invalid();
  return bytes;
}

function importKey(raw: Uint8Array, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw as BufferSource, "AES-GCM", false, [use]);
}

function parameters(nonce: Uint8Array, context: Context): AesGcmParams {
  const additionalData = new TextEncoder().encode(JSON.stringify(context, Object.keys(context).sort()));
  return { name: "AES-GCM", iv: nonce as BufferSource, additionalData };
}
