/** Strict base64. (`Uint8Array.fromBase64` is younger than the edge runtime; `Buffer` takes anything for base64.) */

import { Buffer } from "node:buffer";

export type Alphabet = "base64" | "base64url";

const FORMS: Record<Alphabet, RegExp> = {
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  base64url: /^[A-Za-z0-9_-]*$/,
};

export const toBase64 = (bytes: Uint8Array, alphabet: Alphabet): string =>
  Buffer.from(bytes).toString(alphabet);

/** Undefined for what is not in this alphabet. */
export function fromBase64(encoded: string, alphabet: Alphabet): Uint8Array | undefined {
  return FORMS[alphabet].test(encoded) ? new Uint8Array(Buffer.from(encoded, alphabet)) : undefined;
}
