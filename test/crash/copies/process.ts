// A second process of the app: runs activities that it is told to run, as a worker does to which a message was delivered again.
import { loadApp } from "../../../local/host/app.ts";

const app = await loadApp(process.argv[2] ?? "");

process.on("message", ({ id, name, input }: { id: number; name: string; input: string }) => {
  const fn = app.functions.get(name);
  if (fn === undefined) throw new Error(`The app has no activity ${name}.`);
  const { instanceId } = JSON.parse(input) as { instanceId: string };
  const data = { json: input };
  app
    .invoke(name, {
      inputs: { [fn.trigger.name]: data },
      triggerMetadata: { instanceId: { json: JSON.stringify(instanceId) }, data },
    })
    .then(
      ({ returnValue }) => process.send?.({ id, reply: returnValue?.json ?? null }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    );
});
process.send?.({ ready: true });
