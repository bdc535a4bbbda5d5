/** Errors that a caller may see: a status, a code for programs, a sentence for people. Never a secret or a plaintext. */

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

export const badRequest = (code: string, message: string) => new ApiError(400, code, message);
export const forbidden = (message: string) => new ApiError(403, "forbidden", message);
export const unavailable = (code: string, message: string) => new ApiError(503, code, message);
