// SPDX-License-Identifier: Apache-2.0
#include "codec/samples.h"

#include "prompt/render.h"

namespace codec {
namespace {

// What stands where members of a request line are settled.
std::string line(const std::string& members) {
  return R"({"request_id":"a","model":"m",)" + members + "}";
}

std::string chat(const std::string& members) {
  return line(R"("messages":[{"role":"system","content":"s\u00e9 \"q\"\n"},)"
              R"({"role":"user","content":"Zürich 東京 😀 \ud83d\ude00 \/"}],"max_tokens":5)" +
              members);
}

std::string reply(const std::string& choice, const std::string& more) {
  return R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m",)"
         R"("choices":[)" +
         choice + "]" + more + "}";
}

std::string answer(const std::string& message) {
  return R"({"index":0,"message":)" + message + R"(,"logprobs":null,"finish_reason":"stop"})";
}

const char paris[] = R"({"role":"assistant","content":"Paris\n\"Île-de-France\" \u00e9"})";

}  // namespace

std::string core_line(double temperature) {
  promptsweep::ArmSpec arm;
  arm.system_prompt = "You answer questions.\nBe \"brief\".";
  arm.instructions.open_book = "Answer from the passage; say \"unknown\" where it does not say.";
  arm.decoding.temperature = temperature;
  arm.decoding.max_new_tokens.open_book = 64;
  if (temperature > 0) arm.decoding.top_p = 0.95;
  promptsweep::Item item;
  item.type = promptsweep::TaskType::open_book;
  item.question = "Which river flows through the capital of France?";
  for (int i = 0; i < 16; ++i)
    item.context += "Paris lies on the Seine – some 370 km from its mouth.\n";
  return promptsweep::request_line(arm, "model", item, std::string(64, 'a'), 1234567);
}

std::vector<std::string> plain_lines() {
  return {core_line(0),
          core_line(0.7),
          chat(""),
          chat(R"(,"temperature":0.7,"top_p":0.9,"top_k":40,"stop":["\n","a\"b"],"seed":12)"),
          chat(R"(,"temperature":1,"top_p":1,"top_k":0,"stop":[],"seed":2147483647)"),
          chat(R"(,"temperature":0.30000000000000004,"unknown":{"a":[1,-2.5e3,true,null]})"),
          line(R"("prompt":"Once upon\ta time","max_tokens":7,"temperature":2)"),
          line(R"("prompt":"","max_tokens":2147483647)"),
          " { \"max_tokens\" : 5 , \"prompt\" : \"x\" } \n"};
}

std::vector<std::string> odd_lines() {
  return {"",
          "[]",
          "{",
          "null",
          "{,}",
          R"({"prompt":"x","max_tokens":5,})",
          R"({"prompt":"x","max_tokens":5}})",
          R"({"prompt":"x","messages":[],"max_tokens":5})",
          line(R"("max_tokens":5)"),
          line(R"("prompt":"x")"),
          line(R"("prompt":null,"max_tokens":5)"),
          line(R"("prompt":"x","max_tokens":5.0)"),
          line(R"("prompt":"x","max_tokens":05)"),
          line(R"("prompt":"x","max_tokens":0)"),
          line(R"("prompt":"x","max_tokens":2147483648)"),
          line(R"("prompt":"x","max_tokens":99999999999999999999999)"),
          line(R"("prompt":"x","prompt":"y","max_tokens":5)"),
          line(R"("prompt":"x","pr\u006fmpt":"y","max_tokens":5)"),
          line(R"("messages":[],"max_tokens":5)"),
          line(R"("messages":{},"max_tokens":5)"),
          line(R"("messages":[{"role":"narrator","content":"x"}],"max_tokens":5)"),
          line(R"("messages":[{"role":"user"}],"max_tokens":5)"),
          line(R"("messages":[{"role":"user","content":null}],"max_tokens":5)"),
          line(R"("messages":[{"role":"user","content":["x"]}],"max_tokens":5)"),
          line(R"("messages":[{"role":"user","content":"x","content":"y"}],"max_tokens":5)"),
          chat(R"(,"temperature":-0)"),
          chat(R"(,"temperature":-0.0)"),
          chat(R"(,"temperature":2.1)"),
          chat(R"(,"temperature":1e-400)"),
          chat(R"(,"temperature":1e400)"),
          chat(R"(,"temperature":"1")"),
          chat(R"(,"top_p":0)"),
          chat(R"(,"top_k":-1)"),
          chat(R"(,"top_k":1e1)"),
          chat(R"(,"stop":[""])"),
          chat(R"(,"stop":"x")"),
          chat(R"(,"seed":-1)"),
          chat(",\"unknown\":\"\xff\""),
          chat(",\"unknown\":\"\\ud800\""),
          chat(",\"unknown\":\"\x01\""),
          chat(",\"unknown\":" + std::string(100, '[') + std::string(100, ']')),
          "\xEF\xBB\xBF" + chat("")};
}

std::vector<std::string> plain_replies() {
  const std::string usage =
      R"(,"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,)"
      R"("completion_tokens_details":{"reasoning_tokens":0}})";
  return {reply(answer(paris), usage),
          reply(answer(R"({"role":"assistant","content":"a","refusal":null})"),
                usage + R"(,"system_fingerprint":"fp_1")"),
          reply(answer(R"({"content":null,"refusal":"I cannot."})"), R"(,"error":null)"),
          reply(answer(R"({"content":"a","reasoning_content":"so","reasoning":"or so"})"), usage),
          reply(R"({"finish_reason":"length","message":{"content":"","tool_calls":[]}})",
                R"(,"usage":null,"system_fingerprint":null)"),
          reply(answer(paris), usage + R"(,"timings":{"prompt_n":9,"prompt_ms":12.345,)"
                                       R"("predicted_ms":7,"predicted_per_second":1e-05})"),
          "{ \"choices\" : [ " + answer(paris) + " ] }\n"};
}

std::vector<std::string> odd_replies() {
  const std::string good = answer(paris);
  return {
      "",
      "[]",
      "{}",
      R"({"choices":null})",
      R"({"object":"error","message":"m","code":404})",
      R"({"error":{"message":"overloaded","code":503}})",
      reply("", ""),
      reply("null", ""),
      reply(good + "," + good, ""),
      reply(good, R"(,"error":{"message":"late"})"),
      reply(R"({"error":{"message":"inner","code":503},"finish_reason":"stop"})", ""),
      reply(good, R"(,"usage":{"prompt_tokens":"9","completion_tokens":3.0})"),
      reply(good, R"(,"usage":{"prompt_tokens":-1,"completion_tokens":1e400})"),
      reply(good, R"(,"usage":{"prompt_tokens":9000000000000000})"),
      reply(good, R"(,"usage":[9])"),
      reply(good, R"(,"timings":{"prompt_ms":"1.5","predicted_ms":-2})"),
      reply(good, R"(,"timings":{"prompt_ms":-0,"predicted_ms":-0.0})"),
      reply(good, R"(,"model":7,"id":["x"])"),
      reply(good, R"(,"model":"other")"),
      reply(good, ",\"x\":\"\xff\""),
      reply(good, R"(,"x":"\udc00")"),
      reply(answer("\"Paris\""), ""),
      reply(answer("null"), ""),
      reply(answer(R"({"content":[{"type":"text","text":"a"},"b"]})"), ""),
      reply(answer(R"({"content":7,"refusal":8,"reasoning":[]})"), ""),
      reply(answer(R"({"content":"a","content":"b"})"), ""),
      reply(answer("{\"content\":\"a\x02\xc3\"}"), ""),
      reply(R"({"text":"raw","finish_reason":"stop"})", ""),
      reply(R"({"text":"raw","message":null,"finish_reason":"eos"})", ""),
      reply(R"({"message":{"content":"a"},"finish_reason":null})", ""),
      reply(R"({"message":{"content":"a"},"finish_reason":"weird"})", ""),
      reply(R"({"message":{"content":"a"},"finish_reason":"STOP","logprobs":{"content":[]}})", ""),
      reply(good, "").substr(0, 80),
      reply(good, "") + "x",
      reply(good, "") + std::string(1, '\0')};
}

std::vector<std::string> plain_record_bodies() {
  return {
      R"({"completion_tokens":1,"finish_reason":"stop","model":"m","prompt_tokens":9,)"
      R"("prompt_tokens_evaluated":9,"remote_id":"x1","seed_honoured":true,)"
      R"("text":"Paris\n\u0001 東京","timings":{"decode_ms":1.5,"queue_ms":0.0,"total_ms":20.125}})",
      R"({"completion_tokens":null,"finish_reason":"length","model":"","prompt_tokens":null,)"
      R"("prompt_tokens_evaluated":null,"seed_honoured":null,"text":"","timings":null})",
      R"({"text":"a","timings":{"a":1,"b":null,"c":1e2,"d":0.10000000000000001}})",
      R"({"error":"the server answered 500: \"no\""})",
      R"({"text":"b","timings":{},"logprobs":{"content":[{"token":"b","logprob":-0.5}]}})",
      "{}"};
}

std::vector<std::string> odd_record_bodies() {
  return {"",
          "[]",
          "7",
          R"({"text":null})",
          R"({"text":"a","text":"b"})",
          R"({"text":"a","finish_reason":null,"model":7,"remote_id":[],"seed_honoured":"yes"})",
          R"({"text":"a","prompt_tokens":-1,"completion_tokens":1.0})",
          R"({"text":"a","prompt_tokens":18446744073709551615,"completion_tokens":"3"})",
          R"({"text":"a","timings":{"b":1,"a":2}})",
          R"({"text":"a","timings":{"a":1,"a":2}})",
          R"({"text":"a","timings":{"a":{"b":[1]},"c":"x"}})",
          R"({"text":"a","timings":{"a":-3,"b":-0,"c":12345678901234567890123}})",
          R"({"text":"a","timings":[1]})",
          R"({"error":{"message":"m"}})",
          R"({"error":{"message":""}})",
          R"({"error":null})",
          "{\"text\":\"\xc3\"}",
          R"({"text":"a"}})"};
}

}  // namespace codec
