// SPDX-License-Identifier: Apache-2.0
// The official ollama client against the emulator.
import assert from "node:assert/strict";
import test from "node:test";
import { Ollama } from "ollama";
import { withEmulator } from "./emulator.mjs";

const messages = [{ role: "user", content: "one two three" }];
const request = { model: "m", messages, options: { temperature: 0, num_predict: 6, num_ctx: 2048 } };
const run = (name, use, faults = [], options = []) =>
  test(name, () =>
    withEmulator("ollama", ["--model", "m", ...options], faults, (url, counts) =>
      use(new Ollama({ host: url }), counts, url),
    ),
  );

run("list, show, version", async (client) => {
  const { models } = await client.list();
  assert.equal(models[0].name, "m:latest");
  assert.match(models[0].digest, /^[0-9a-f]{64}$/);
  const shown = await client.show({ model: "m" });
  assert.deepEqual(shown.capabilities, ["completion"]);
  const architecture = shown.model_info["general.architecture"];
  assert.equal(shown.model_info[`${architecture}.context_length`], 131072);
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
});

run("chat, whole and as a stream", async (client) => {
  const whole = await client.chat(request);
  assert.equal(whole.done, true);
  assert.equal(whole.prompt_eval_count, 3);
  assert.ok(whole.eval_count <= 6 && whole.message.content.length > 0);
  assert.ok(whole.total_duration > 0);
  let text = "", last;
  for await (const part of await client.chat({ ...request, stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, whole.message.content);
  assert.equal(last.done, true);
  assert.equal(last.done_reason, whole.done_reason);
  assert.equal(last.eval_count, whole.eval_count);
});

run("generate, whole and as a stream", async (client) => {
  const { messages: _, ...rest } = request;
  const whole = await client.generate({ ...rest, prompt: "one two three" });
  let text = "";
  for await (const part of await client.generate({ ...rest, prompt: "one two three", stream: true })) {
    text += part.response;
  }
  assert.ok(text.length > 0);
  assert.equal(text, whole.response);
});

run("ps, keep_alive and unload", async (client, counts) => {
  assert.deepEqual((await client.ps()).models, []);
  await client.chat({ ...request, keep_alive: "10m" });
  const [model] = (await client.ps()).models;
  assert.equal(model.context_length, 2048);
  const left = new Date(model.expires_at) - Date.now();
  assert.ok(left > 590e3 && left < 610e3, `${left} ms`);
  await client.generate({ model: "m", prompt: "", keep_alive: 0 });
  assert.deepEqual((await client.ps()).models, []);
  assert.equal((await counts()).unloads, 1);
});

run("errors", async (client) => {
  await assert.rejects(client.chat({ ...request, model: "x" }), {
    name: "ResponseError",
    status_code: 404,
    message: "model 'x' not found",
  });
  await assert.rejects(client.chat({ ...request, think: true }), { status_code: 400 });
  await assert.rejects(client.show({ model: "x" }), { status_code: 404 });
});

run(
  "an error in mid-stream, and a stream that ends early",
  async (client) => {
    const read = async () => {
      for await (const part of await client.chat({ ...request, stream: true })) void part;
    };
    await assert.rejects(read(), /an error was encountered/);
    await assert.rejects(read(), /Did not receive done/);
    await read();
  },
  [{ fault: "error_in_stream" }, { fault: "done_false", requests: [1] }],
);

run(
  "a full queue",
  async (client) => {
    await assert.rejects(client.chat(request), {
      status_code: 503,
      message: "server busy, please try again.  maximum pending requests exceeded",
    });
    await client.chat(request);
  },
  [{ fault: "queue_full" }],
);

run("pull", async (client) => {
  let last;
  for await (const part of await client.pull({ model: "m", stream: true })) last = part;
  assert.equal(last.status, "success");
  await assert.rejects(client.pull({ model: "x" }), /file does not exist/);
});

run(
  "a client that leaves",
  async (_, counts, url) => {
    // abort() of the client knows only streams that have begun, so its fetch is given the signal.
    const signal = AbortSignal.timeout(150);
    const client = new Ollama({ host: url, fetch: (to, options) => fetch(to, { ...options, signal }) });
    await assert.rejects(client.chat(request), { name: "TimeoutError" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const seen = await counts();
    assert.deepEqual([seen.answers.given, seen.statuses.client_left], [0, 1]);
  },
  [],
  ["--latency-ms", "60000"],
);
