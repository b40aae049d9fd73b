import { Client, HttpTransport } from "workflow-client";

const [url = "http://127.0.0.1:7411", token = "", id = "release"] = process.argv.slice(2);
const client = new Client(new HttpTransport({ url, token }));
for (const workflow of (await client.call("workflow:list")).workflows) console.log(workflow.id, workflow.stages.join(", "));
const { runId } = await client.start({ id });
for await (const message of client.subscribe({ runs: [{ runId }] })) {
  if (message.type !== "workflow-run:event") continue;
  console.log(message.seq, message.event.type);
  if (!message.event.type.endsWith("_asked")) continue;
  await client.call("workflow:runs:answer", { runId, wait: message.seq, value: true });
}
console.log((await client.call("workflow:runs:get", { runId })).run.status);
