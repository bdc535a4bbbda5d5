/** Card numbers and security codes must never come here: Stripe takes them, we get its token. */

import { badRequest } from "../_shared/errors.ts";
import type { Fields } from "../_shared/body.ts";

const CARD_FIELDS = /^(card_?)?(number|pan|cvc|cvc2|cvv|cvv2|security_?code)$/i;
const SHORTEST = 13;
const LONGEST = 19;
const DIGIT = /\p{Nd}/u;
// Of all fields only this one is no words of a person: its letters are as random as its digits.
const TOKEN_FIELD = "stripePaymentMethodId";

/** Refuses without repeating the value. */
export function refuseCardData(fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (CARD_FIELDS.test(name) || holdsCardNumber(name, value)) {
      throw badRequest(
        "card_data_refused",
        "card data must not be sent here: give Stripe's payment method id",
      );
    }
  }
}

/**
 * However it is spelt: in another script's digits, with anything between them, or inside a longer number.
 *
 * Also refused is thereby what only looks so: of 13 digits in a text one in ten passes, of 19 and more nearly all.
 * No name or brand has so many. Between two letters of Stripe's token digits stand by chance: there a letter ends a number.
 */
function holdsCardNumber(name: string, value: unknown): boolean {
  if (typeof value !== "string" && typeof value !== "number") return false;
  const plain = String(value).normalize("NFKC");
  const parts = name === TOKEN_FIELD ? plain.split(/\p{L}/u) : [plain];
  return parts.some((part) => someWindowPassesLuhn([...part].filter((one) => DIGIT.test(one)).map(digitOf)));
}

/** The digits of every script stand in Unicode from zero to nine in a row. */
function digitOf(character: string): number {
  const codePoint = character.codePointAt(0)!;
  let zero = codePoint;
  while (DIGIT.test(String.fromCodePoint(zero - 1))) zero--;
  return (codePoint - zero) % 10;
}

function someWindowPassesLuhn(digits: number[]): boolean {
  for (let start = 0; start + SHORTEST <= digits.length; start++) {
    for (let end = start + SHORTEST; end <= Math.min(start + LONGEST, digits.length); end++) {
      if (passesLuhn(digits.slice(start, end))) return true;
    }
  }
  return false;
}

/** The check digit that every card number has (ISO/IEC 7812-1). */
function passesLuhn(digits: number[]): boolean {
  const sum = digits.toReversed().reduce((total, digit, index) => {
    const doubled = digit * 2;
    return total + (index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}
