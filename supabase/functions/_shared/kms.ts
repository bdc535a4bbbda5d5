/** KMS as the functions use it: three calls, each with a deadline, each counted. */

import {
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  InvalidCiphertextException,
  KMSClient,
} from "@aws-sdk/client-kms";
import { ApiError, badRequest, unavailable } from "./errors.ts";
import type { Metrics } from "./metrics.ts";

export type Context = Record<string, string>;

export interface DataKey {
  plaintext: Uint8Array;
  wrapped: Uint8Array;
}

export interface Kms {
  encrypt(alias: string, plaintext: Uint8Array, context: Context): Promise<Uint8Array>;
  /** The ciphertext itself names the key generation that made it; the context says for what it may be used. */
  decrypt(ciphertext: Uint8Array, context: Context): Promise<Uint8Array>;
  dataKey(alias: string, context: Context): Promise<DataKey>;
}

/** Both attempts together; a caller of the function waits no longer than that. */
export const KMS_MILLISECONDS = 3000;

/** KMS asks a key's policy before it looks at a ciphertext: it doesn't say which of the two it is. */
const refusedCiphertext = () =>
  new ApiError(
    403,
    "ciphertext_refused",
    "this ciphertext was made for another purpose, or the functions may not use its key any more",
  );
const down = () => unavailable("kms_unavailable", "the encryption service does not answer; try again");

export function awsKms(client: KMSClient, metrics: Metrics, milliseconds: number = KMS_MILLISECONDS): Kms {
  async function counted<T>(
    call: (abortSignal: AbortSignal) => Promise<T>,
    denied: () => ApiError = down,
  ): Promise<T> {
    const start = performance.now();
    let failed = 0;
    try {
      return await call(AbortSignal.timeout(milliseconds));
    } catch (error) {
      if (error instanceof InvalidCiphertextException) {
        // KMS worked; what it was given is wrong. Nobody is to be called for that.
        throw badRequest(
          "invalid_ciphertext",
          "this ciphertext was not made for this purpose, or is damaged",
        );
      }
      failed = 1;
      const answer = nameOf(error) === "AccessDeniedException" ? denied() : down();
      console.error(JSON.stringify({ code: answer.code, error: nameOf(error) }));
      throw answer;
    } finally {
      metrics.kms({ failed, milliseconds: performance.now() - start });
    }
  }

  return {
    encrypt: (KeyId, Plaintext, EncryptionContext) =>
      counted(async (abortSignal) => {
        const answer = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }), {
          abortSignal,
        });
        return answer.CiphertextBlob!;
      }),
    decrypt: (CiphertextBlob, EncryptionContext) =>
      counted(async (abortSignal) => {
        const answer = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }), {
          abortSignal,
        });
        return answer.Plaintext!;
      }, refusedCiphertext),
    dataKey: (KeyId, EncryptionContext) =>
      counted(async (abortSignal) => {
        const command = new GenerateDataKeyCommand({ KeyId, EncryptionContext, KeySpec: "AES_256" });
        const answer = await client.send(command, { abortSignal });
        return { plaintext: answer.Plaintext!, wrapped: answer.CiphertextBlob! };
      }),
  };
}

/** An SDK error's name (AccessDeniedException, …) says enough and holds no data. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
