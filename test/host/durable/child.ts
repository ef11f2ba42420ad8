// A host on tables, to be killed: prints its URL once it serves.
import { createTableStore } from "../../../local/host/durable/index.ts";
import { serve } from "./serve.ts";

const [connectionString, hub] = process.argv.slice(2);
const store = createTableStore({ connectionString: connectionString!, hub: hub! });
const { url } = await serve({ clock: { now: () => Date.now() }, store });
console.log(url);
