/** The real services of a function, made with the first request that needs them. */

import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { KMSClient } from "@aws-sdk/client-kms";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { cloudWatch } from "./cloudwatch.ts";
import { unavailable } from "./errors.ts";
import { awsKms, type Kms } from "./kms.ts";
import { Metrics } from "./metrics.ts";
import { readSettings, type Settings } from "./settings.ts";

export interface Services {
  settings(): Settings;
  kms(): Kms;
  metrics: Metrics;
  fetch: typeof fetch;
  /** A variable that Supabase injects, or the release's name. */
  variable(name: string): string | undefined;
}

const ROLE_SECONDS = 3600;

export function awsServices(functionName: string): Services {
  const variable = (name: string) => Deno.env.get(name);
  const settings = once(() => readSettings(variable));
  const credentials = once(() => assumedRole(settings(), functionName));
  const configuration = () => ({ region: settings().region, credentials: credentials(), maxAttempts: 2 });
  const cloudWatchClient = once(() => new CloudWatchClient(configuration()));
  const metrics = new Metrics(cloudWatch(cloudWatchClient, () => settings().environment, functionName));
  return {
    settings,
    kms: once(() => awsKms(new KMSClient(configuration()), metrics)),
    metrics,
    fetch,
    variable,
  };
}

/** Credentials of the functions' role. The SDK keeps them, and asks again shortly before they expire. */
function assumedRole(settings: Settings, session: string) {
  const { accessKeyId, secretAccessKey, region } = settings;
  const client = new STSClient({ region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 2 });
  return async () => {
    const answer = await client.send(
      new AssumeRoleCommand({
        RoleArn: settings.roleArn,
        RoleSessionName: session,
        ExternalId: settings.externalId,
        DurationSeconds: ROLE_SECONDS,
      }),
      { abortSignal: AbortSignal.timeout(3000) },
    );
    const made = answer.Credentials;
    if (!made?.AccessKeyId || !made.SecretAccessKey || !made.SessionToken || !made.Expiration) {
      throw unavailable("kms_unavailable", "AWS gave no credentials");
    }
    return {
      accessKeyId: made.AccessKeyId,
      secretAccessKey: made.SecretAccessKey,
      sessionToken: made.SessionToken,
      expiration: made.Expiration,
    };
  };
}

/** The first success is kept; a failure is tried again by the next request. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
