// SPDX-License-Identifier: Apache-2.0
// The official openai client against the emulated OpenAI-compatible servers.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { withEmulator } from "./emulator.mjs";

const key = "sk-emulated";
const messages = [{ role: "user", content: "one two three" }];
const request = { model: "m", messages, temperature: 0, max_completion_tokens: 4 };

function run(name, use, { faults = [], dialects = ["llama", "vllm", "openai"], maxRetries = 0 } = {}) {
  for (const dialect of dialects) {
    test(`${name} (${dialect})`, () =>
      withEmulator("openai", ["--model", "m", "--key", key, "--dialect", dialect], faults, (url, counts) =>
        use(new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries, timeout: 5000 }), counts, url),
      ));
  }
}

async function streamed(client) {
  let text = "", finish = null, usage = null;
  const options = { ...request, stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create(options)) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { text, finish, usage };
}

run("models", async (client) => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names, ["m"]);
  assert.equal((await client.models.retrieve("m")).object, "model");
});

run("chat completions, whole and as a stream", async (client, counts) => {
  const whole = await client.chat.completions.create({ ...request, logprobs: true, top_logprobs: 3 });
  const [choice] = whole.choices;
  assert.equal(whole.object, "chat.completion");
  assert.ok(choice.message.content.length > 0);
  assert.equal(choice.logprobs.content.map((token) => token.token).join(""), choice.message.content);
  assert.equal(choice.logprobs.content[0].top_logprobs.length, 3);
  assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  const stream = await streamed(client);
  assert.equal(stream.text, choice.message.content);
  assert.equal(stream.finish, choice.finish_reason);
  assert.deepEqual(stream.usage, whole.usage);
  const { answers } = await counts();
  assert.deepEqual([answers.given, answers.distinct], [2, 1]);
});

run("errors", async (client, counts, url) => {
  const stranger = new OpenAI({ apiKey: "sk-wrong", baseURL: `${url}/v1`, maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ ...request, model: "x" }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ ...request, temperature: 9 }), OpenAI.BadRequestError);
});

run(
  "codes of errors",
  async (client) => {
    await assert.rejects(client.chat.completions.create({ ...request, model: "x" }), { code: "model_not_found" });
    await assert.rejects(client.chat.completions.create(request), { status: 429, code: "insufficient_quota" });
    await assert.rejects(client.chat.completions.create(request), { code: "context_length_exceeded" });
  },
  { dialects: ["openai"], faults: [{ fault: "insufficient_quota", requests: [1] }, { fault: "context_exceeded", requests: [2] }] },
);

run(
  "a limit is waited for",
  async (client, counts) => {
    const begin = Date.now();
    await client.chat.completions.create(request);
    assert.ok(Date.now() - begin >= 140, "retry-after-ms is 150.5");
    const { requests, answers, rejected } = await counts();
    assert.deepEqual([requests.chat, answers.given, rejected], [2, 1, 1]);
  },
  { faults: [{ fault: "limit_ms", route: "chat" }], maxRetries: 2 },
);

run(
  "resets and server errors are tried again",
  async (client, counts) => {
    await client.chat.completions.create(request);
    assert.equal((await counts()).requests.chat, 3);
  },
  { faults: [{ fault: "reset_before", route: "chat" }, { fault: "http_503", route: "chat" }], maxRetries: 3 },
);

run(
  "an error within a stream",
  async (client) => {
    await assert.rejects(streamed(client), OpenAI.APIError);
    assert.ok((await streamed(client)).text.length > 0);
  },
  { faults: [{ fault: "error_in_stream" }] },
);

run(
  "comments between events",
  async (client) => {
    const odd = await streamed(client);
    assert.deepEqual(odd, await streamed(client));
  },
  { faults: [{ fault: "keepalive_comments" }] },
);

test("Fireworks' chat endpoint", () =>
  withEmulator("fireworks", ["--model", "m", "--key", key], [], async (url) => {
    const model = "accounts/fireworks/models/m";
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/inference/v1`, maxRetries: 0 });
    const reply = await client.chat.completions.create({ ...request, model, max_completion_tokens: 4 });
    assert.equal(reply.model, model);
    const stranger = new OpenAI({ apiKey: "wrong", baseURL: `${url}/inference/v1`, maxRetries: 0 });
    await assert.rejects(stranger.chat.completions.create({ ...request, model }), OpenAI.PermissionDeniedError);
  }));
