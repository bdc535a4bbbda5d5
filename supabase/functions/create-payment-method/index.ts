import { handlerOf } from "../_shared/serve.ts";
import { awsServices } from "../_shared/services.ts";
import { createPaymentMethod } from "./handler.ts";

Deno.serve(handlerOf(createPaymentMethod, awsServices(createPaymentMethod.name)));
