import { handlerOf } from "../_shared/serve.ts";
import { awsServices } from "../_shared/services.ts";
import { encryptData } from "./handler.ts";

Deno.serve(handlerOf(encryptData, awsServices(encryptData.name)));
