/** Reading a request's JSON: of a limited size, and with no field that the function doesn't know. */

import { ApiError, badRequest } from "./errors.ts";

export const LARGEST_BODY = 64 * 1024;

export type Fields = Record<string, unknown>;

export async function readFields(request: Request, known: readonly string[]): Promise<Fields> {
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    throw new ApiError(415, "unsupported_media_type", "send application/json");
  }
  const fields = parse(await readLimited(request));
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw badRequest("unknown_field", `the field ${JSON.stringify(unknown)} is not known`);
  }
  return fields;
}

/** A field that has to be a text of at most so many bytes. */
export function text(fields: Fields, name: string, largest: number): string {
  const value = fields[name];
  if (typeof value !== "string" || value.length === 0 || new TextEncoder().encode(value).length > largest) {
    throw badRequest("invalid_field", `${name} has to be a text of 1 to ${largest} bytes`);
  }
  if (!value.isWellFormed()) {
    throw badRequest("invalid_field", `${name} holds half a character: a surrogate without its other half`);
  }
  return value;
}

async function readLimited(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // The length that a caller announces is not trusted: what arrives is counted.
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > LARGEST_BODY) {
      throw new ApiError(413, "too_large", `the body has more than ${LARGEST_BODY} bytes`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      await new Blob(chunks as BlobPart[]).arrayBuffer(),
    );
  } catch {
    throw badRequest("invalid_json", "the body is not UTF-8");
  }
}

function parse(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw badRequest("invalid_json", "the body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest("invalid_json", "the body has to be a JSON object");
  }
  return value as Fields;
}
