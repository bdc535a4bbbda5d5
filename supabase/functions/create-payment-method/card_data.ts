/** Card numbers and security codes must never come here: Stripe takes them, we get its token. */

import { badRequest } from "../_shared/errors.ts";
import type { Fields } from "../_shared/body.ts";

const CARD_FIELDS = /^(card_?)?(number|pan|cvc|cvc2|cvv|cvv2|security_?code)$/i;
const DIGITS = /(?:\d[ -]?){12,18}\d/g;

/** Refuses without repeating the value. */
export function refuseCardData(fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    const looksLikeCard = typeof value === "string" || typeof value === "number"
      ? (String(value).match(DIGITS) ?? []).some((found) => passesLuhn(found.replace(/\D/g, "")))
      : false;
    if (CARD_FIELDS.test(name) || looksLikeCard) {
      throw badRequest(
        "card_data_refused",
        "card data must not be sent here: give Stripe's payment method id",
      );
    }
  }
}

/** The check digit that every card number has (ISO/IEC 7812-1). */
function passesLuhn(digits: string): boolean {
  const sum = [...digits].reverse().map(Number).reduce((total, digit, index) => {
    const doubled = digit * 2;
    return total + (index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}
