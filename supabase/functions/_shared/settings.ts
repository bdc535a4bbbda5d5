/** What a function is told by its environment; names as the infrastructure program sets them. */

import { unavailable } from "./errors.ts";

export const PURPOSES = ["general-data", "user-profile-data", "payment-method-data"] as const;
export type Purpose = typeof PURPOSES[number];

const ALIAS_VARIABLES: Record<Purpose, string> = {
  "general-data": "PF_KEY_ALIAS_GENERAL",
  "user-profile-data": "PF_KEY_ALIAS_PII",
  "payment-method-data": "PF_KEY_ALIAS_PAYMENT",
};

export interface Settings {
  environment: string;
  region: string;
  roleArn: string;
  externalId: string;
  accessKeyId: string;
  secretAccessKey: string;
  aliases: Record<Purpose, string>;
}

export type Variables = (name: string) => string | undefined;

/** Read when the first request needs them: a function that lacks one still starts, and says which. */
export function readSettings(variable: Variables): Settings {
  const needed = (name: string) => {
    const value = variable(name);
    if (!value) throw unavailable("not_configured", `${name} is not set for this function`);
    return value;
  };
  return {
    environment: needed("PF_ENVIRONMENT"),
    region: needed("PF_AWS_REGION"),
    roleArn: needed("PF_ROLE_ARN"),
    externalId: needed("PF_EXTERNAL_ID"),
    accessKeyId: needed("PF_AWS_ACCESS_KEY_ID"),
    secretAccessKey: needed("PF_AWS_SECRET_ACCESS_KEY"),
    aliases: Object.fromEntries(
      PURPOSES.map((purpose) => [purpose, needed(ALIAS_VARIABLES[purpose])]),
    ) as Record<Purpose, string>,
  };
}
