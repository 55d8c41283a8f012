// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE ollama_protocol
#include "protocol.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "options.h"
#include "reply.h"

using namespace ollama;
using nlohmann::json;
using psw::http::Failure;
using psw::http::JobEnds;
using psw::http::NotSent;
using psw::http::Reply;
using psw::http::Verdict;

namespace {

std::string refusal(const std::string& options) {
  try {
    parse_options(options);
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    return error.text;
  }
  return "";
}

Version version_of(const std::string& text) {
  return read_version(json{{"version", text}}.dump()).value();
}

psw::Request line_of(const std::string& members = R"("temperature":0)",
                     const std::string& user = "question") {
  psw::Request line;
  line.request_id = "a";
  line.line = R"({"request_id":"a","model":"m","messages":[{"role":"system","content":"be brief"},)"
              R"({"role":"user","content":")" +
              user + R"("}],"max_tokens":16,)" + members + "}";
  return line;
}

Language language(const std::string& options = "{}", const std::string& version = "0.33.0",
                  ModelFacts facts = {}) {
  json config = json::parse(options);
  config["model"] = "m:1b";
  return {parse_options(config.dump()), version_of(version), std::move(facts)};
}

json body_of(const Language& language, const psw::Request& line) {
  return json::parse(language.body(psw::lines::parse_query(line.line)));
}

Reply reply_of(int status, std::string body) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.attempts = 1;
  return reply;
}

std::string chat_reply(const std::string& content, const std::string& more = "") {
  return R"({"model":"m:1b","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",)"
         R"("content":")" +
         content +
         R"("},"done":true,"done_reason":"stop","total_duration":9000000,)"
         R"("prompt_eval_count":12,"prompt_eval_duration":4000000,"eval_count":2,)"
         R"("eval_duration":3000000)" +
         more + "}";
}

struct Row {
  std::int32_t outcome = 0;
  psw_status code = PSW_OK;
  json body;
};
Row read(const Reply& reply, const Language& l = language(), const psw::Request& line = line_of()) {
  const psw::http::Record record = l.record(line, reply);
  return {record.outcome, record.code, json::parse(record.body_json)};
}
Row read(const std::string& body) { return read(reply_of(200, body)); }

psw_status ending(const Reply& reply, std::string* text = nullptr) {
  try {
    language().record(line_of(), reply);
  } catch (const JobEnds& error) {
    if (text != nullptr) *text = error.text;
    return error.code;
  }
  return PSW_OK;
}

}  // namespace

BOOST_AUTO_TEST_CASE(options_have_defaults_and_bounds) {
  const Options options = parse_options(R"({"model":"m"})");
  BOOST_TEST(options.base_url == "http://127.0.0.1:11434");
  BOOST_TEST(options.num_ctx == 4096u);
  BOOST_TEST(options.max_concurrent_requests == 1u);
  BOOST_TEST(options.unload_at_end);
  BOOST_TEST(!options.stream);
  BOOST_TEST(refusal("{}").starts_with("/model: "));
  BOOST_TEST(refusal(R"({"model":"m","num_ctx":3})").starts_with("/num_ctx: "));
  BOOST_TEST(refusal(R"({"model":"m","think":"maybe"})").starts_with("/think: "));
  BOOST_TEST(refusal(R"({"model":"m","keep_alive":"soon"})").starts_with("/keep_alive: "));
  BOOST_TEST(refusal(R"({"model":"m","keep_alive":"-1s"})").empty());
  BOOST_TEST(refusal(R"({"model":"m","base_url":"ftp://h"})").starts_with("/base_url: "));
  const std::string named = refusal(R"({"model":"m","base_url":"http://me:secret@h"})");
  BOOST_TEST(named.starts_with("/base_url: found a user name"));
  BOOST_TEST(named.find("secret") == std::string::npos);
  BOOST_TEST(refusal(R"({"model":"m","num_ctxx":4096})").starts_with("/num_ctxx: "));
}

BOOST_AUTO_TEST_CASE(the_schema_names_the_options_that_are_read) {
  const json schema = json::parse(options_schema);
  for (const auto& [name, property] : schema.at("properties").items()) {
    json config{{"model", "m"}};
    config[name] = json::array();
    BOOST_TEST(refusal(config.dump()).starts_with("/" + name + ": "), name);
    BOOST_TEST(property.contains("description"), name);
    BOOST_TEST((name == "model" || property.contains("default")), name);
  }
}

BOOST_AUTO_TEST_CASE(addresses_are_read_as_people_write_them) {
  const auto url = [](const std::string& written) {
    return parse_options(json{{"model", "m"}, {"base_url", written}}.dump()).base_url;
  };
  BOOST_TEST(url("127.0.0.1") == "http://127.0.0.1:11434");
  BOOST_TEST(url("0.0.0.0:8000") == "http://127.0.0.1:8000");
  BOOST_TEST(url("box.lan:11434/") == "http://box.lan:11434");
  BOOST_TEST(url("https://box.lan") == "https://box.lan");
  BOOST_TEST(url("[::1]") == "http://[::1]:11434");
  BOOST_TEST(url("http://proxy/ollama/") == "http://proxy/ollama");
}

BOOST_AUTO_TEST_CASE(versions_are_ordered) {
  BOOST_TEST(!version_of("0.12.3").refuses_long_prompts());
  BOOST_TEST(version_of("0.12.4-rc1").refuses_long_prompts());
  BOOST_TEST(version_of("1.0.0").refuses_long_prompts());
  BOOST_TEST(version_of("0.0.0").refuses_long_prompts());  // a developer's build
  BOOST_TEST(!version_of("0.30.0").counts_whole_prompts());
  BOOST_TEST(version_of("0.30.1").counts_whole_prompts());
  BOOST_TEST(!read_version("{}"));
  BOOST_TEST(!read_version("Ollama is running"));
}

BOOST_AUTO_TEST_CASE(models_are_known_by_name_and_tag) {
  BOOST_TEST(is_same_model("llama3.2", "llama3.2:latest"));
  BOOST_TEST(!is_same_model("llama3.2", "llama3.2:1b"));
  BOOST_TEST(is_same_model("host:5000/x/m", "host:5000/x/m:latest"));
  const auto models = read_models(R"({"models":[{"name":"a:1","digest":"d"},{"model":"b:2"}]})");
  BOOST_TEST(models.size() == 2u);
  BOOST_TEST(models[0].digest == "d");
  BOOST_TEST(models[1].name == "b:2");
}

BOOST_AUTO_TEST_CASE(what_the_server_says_of_a_model) {
  const ModelFacts facts = read_facts(
      R"({"details":{"family":"llama","quantization_level":"Q4_K_M","parameter_size":"1B"},)"
      R"("template":"{{ .Prompt }}","capabilities":["completion","thinking"],)"
      R"("parameters":"temperature                    0.7\nstop                           \"<|im_end|>\"\nstop  \"a\\nb\"",)"
      R"("model_info":{"general.architecture":"llama","llama.context_length":8192}})");
  BOOST_TEST(facts.quantisation == "Q4_K_M");
  BOOST_TEST(facts.context_length == 8192u);
  BOOST_TEST(facts.can("thinking"));
  BOOST_TEST(!facts.can("vision"));
  BOOST_TEST_REQUIRE(facts.stops.size() == 2u);
  BOOST_TEST(facts.stops[0] == "<|im_end|>");
  BOOST_TEST(facts.stops[1] == "a\nb");
  const auto loaded = read_loaded(
      R"({"models":[{"name":"m:latest","size":100,"size_vram":40,"context_length":2048}]})", "m");
  BOOST_TEST(loaded.value().context_length.value() == 2048u);
  BOOST_TEST(!read_loaded(R"({"models":[]})", "m"));
}

// Defaults of the model's file and of the server's release must not decide.
BOOST_AUTO_TEST_CASE(every_sampling_option_is_sent) {
  const json body = body_of(language(), line_of());
  BOOST_TEST(body.at("stream") == false);
  BOOST_TEST(body.at("truncate") == false);
  BOOST_TEST(body.at("shift") == false);
  BOOST_TEST(body.at("model") == "m:1b");
  BOOST_TEST(body.at("keep_alive") == "30m");
  BOOST_TEST(!body.contains("think"));
  BOOST_TEST(body.at("messages").size() == 2u);
  BOOST_TEST(body.at("options") == json({{"num_ctx", 4096},
                                         {"num_predict", 16},
                                         {"temperature", 0.0},
                                         {"top_p", 1.0},
                                         {"top_k", 0},
                                         {"min_p", 0},
                                         {"typical_p", 1},
                                         {"repeat_penalty", 1},
                                         {"repeat_last_n", 0},
                                         {"presence_penalty", 0},
                                         {"frequency_penalty", 0}}));
  ModelFacts facts;
  facts.capabilities = {"completion", "thinking"};
  facts.stops = {"<end>"};
  const json sampled = body_of(
      language(R"({"num_gpu":3,"num_batch":64,"num_thread":2,"stream":true})", "0.33.0", facts),
      line_of(R"("temperature":0.7,"top_p":0.9,"top_k":40,"seed":5,"stop":["x"])"));
  BOOST_TEST(sampled.at("stream") == true);
  BOOST_TEST(sampled.at("think") == false);
  BOOST_TEST(sampled.at("options").at("seed") == 5);
  BOOST_TEST(sampled.at("options").at("top_k") == 40);
  BOOST_TEST(sampled.at("options").at("num_gpu") == 3);
  BOOST_TEST(sampled.at("options").at("num_batch") == 64);
  BOOST_TEST(sampled.at("options").at("num_thread") == 2);
  BOOST_TEST(sampled.at("options").at("stop") == json({"x", "<end>"}));
  // No seed at temperature 0; a random one, not the model file's, where a line has none.
  BOOST_TEST(
      !body_of(language(), line_of(R"("temperature":0,"seed":5)")).at("options").contains("seed"));
  BOOST_TEST(body_of(language(), line_of(R"("temperature":1)")).at("options").at("seed") == -1);
}

BOOST_AUTO_TEST_CASE(thinking_is_said_by_option_to_models_that_can) {
  ModelFacts facts;
  facts.capabilities = {"completion", "thinking"};
  BOOST_TEST(body_of(language(R"({"think":"on"})", "0.33.0", facts), line_of()).at("think") ==
             true);
  BOOST_TEST(body_of(language(R"({"think":"low"})", "0.33.0", facts), line_of()).at("think") ==
             "low");
}

BOOST_AUTO_TEST_CASE(raw_prompts_go_to_generate) {
  psw::Request line;
  line.line = R"({"request_id":"a","prompt":"text","max_tokens":3})";
  const auto query = psw::lines::parse_query(line.line);
  BOOST_TEST(language().path(query) == std::string("/api/generate"));
  BOOST_TEST(body_of(language(), line).at("raw") == true);
  BOOST_TEST(body_of(language(), line).at("prompt") == "text");
  const Language raw = language(R"({"prompt_format":"raw"})");
  BOOST_TEST(raw.path(psw::lines::parse_query(line_of().line)) == std::string("/api/generate"));
  BOOST_TEST(body_of(raw, line_of()).at("prompt") == "be brief\n\nquestion");
  line.line = R"({"request_id":"a","prompt":"","max_tokens":3})";
  BOOST_CHECK_THROW(body_of(language(), line), psw::Error);
}

BOOST_AUTO_TEST_CASE(old_servers_get_only_prompts_that_surely_fit) {
  const auto outcome = [](const std::string& version, const std::string& user) {
    try {
      body_of(language(R"({"num_ctx":64})", version), line_of(R"("temperature":0)", user));
    } catch (const NotSent& refused) {
      return refused.outcome;
    }
    return std::int32_t{0};
  };
  // 64 - 16 tokens; "be brief" has 8 bytes.
  BOOST_TEST(outcome("0.12.3", std::string(40, 'x')) == 0);
  BOOST_TEST(outcome("0.12.3", std::string(41, 'x')) == PSW_OUTCOME_PROMPT_TRUNCATED);
  BOOST_TEST(outcome("0.12.4", std::string(41, 'x')) == 0);
  psw::Request line;
  line.line = R"({"request_id":"a","prompt":"x","max_tokens":64})";
  BOOST_CHECK_THROW(body_of(language(R"({"num_ctx":64})"), line), NotSent);
}

BOOST_AUTO_TEST_CASE(plain_replies_and_streams_are_read_alike) {
  const std::string head = R"({"model":"m:1b","message":{"role":"assistant","content":)";
  const std::string stream = head + R"("Hel"},"done":false})" + "\r\n\n" + head +
                             R"("lo"},"done":false})" + "\n" + chat_reply("");
  for (const std::string& body :
       {chat_reply("Hello"), stream, stream + "\n", json::parse(chat_reply("Hello")).dump(2)}) {
    const Row row = read(body);
    BOOST_TEST(row.outcome == PSW_OUTCOME_OK);
    BOOST_TEST(row.body.at("text") == "Hello");
    BOOST_TEST(row.body.at("finish_reason") == "stop");
    BOOST_TEST(row.body.at("model") == "m:1b");
    BOOST_TEST(row.body.at("prompt_tokens") == 12);
    BOOST_TEST(row.body.at("prompt_tokens_evaluated") == 12);
    BOOST_TEST(row.body.at("completion_tokens") == 2);
    BOOST_TEST(row.body.at("timings").at("prefill_ms") == 4);
    BOOST_TEST(language().judge(reply_of(200, body)).kind == Verdict::done);
  }
  const Row raw = read(R"({"model":"m","response":"text","done":true,"done_reason":"length"})");
  BOOST_TEST(raw.outcome == PSW_OUTCOME_TRUNCATED);
  BOOST_TEST(raw.body.at("text") == "text");
  BOOST_TEST(raw.body.at("prompt_tokens").is_null());  // left out: unknown
  BOOST_TEST(raw.body.at("completion_tokens") == 0);   // left out: none
}

BOOST_AUTO_TEST_CASE(odd_forms_of_good_answers) {
  const Row strings =
      read(R"({"model":"m","message":{"content":"a"},"done":true,"done_reason":"stop",)"
           R"("prompt_eval_count":"12","eval_count":"2"})");
  BOOST_TEST(strings.body.at("prompt_tokens") == 12);
  BOOST_TEST(strings.body.at("completion_tokens") == 2);
  const Row null = read(R"({"message":{"content":null},"done":true,"done_reason":"stop"})");
  BOOST_TEST(null.outcome == PSW_OUTCOME_OK);
  BOOST_TEST(null.body.at("text") == "");
  BOOST_TEST(read(chat_reply("a\xFF")).body.at("text") == "a\xEF\xBF\xBD");
  BOOST_TEST(read(chat_reply("a\\ud800")).body.at("text") == "a\xEF\xBF\xBD");
  // Before 0.1.35 there was no reason.
  BOOST_TEST(read(R"({"message":{"content":"a"},"done":true,"eval_count":16})").outcome ==
             PSW_OUTCOME_TRUNCATED);
  BOOST_TEST(read(R"({"message":{"content":"a"},"done":true,"eval_count":15})").outcome ==
             PSW_OUTCOME_OK);
  const Row thinking =
      read(R"({"message":{"content":"a","thinking":"hm"},"done":true,"done_reason":"stop"})");
  BOOST_TEST(thinking.body.at("reasoning") == "hm");
  const Row seeded =
      read(reply_of(200, chat_reply("a")), language(), line_of(R"("temperature":0.5,"seed":3)"));
  BOOST_TEST(seeded.body.at("seed_honoured") == true);
  BOOST_TEST(read(chat_reply("a")).body.at("seed_honoured").is_null());
}

BOOST_AUTO_TEST_CASE(answers_that_are_not_whole_are_tried_again_and_then_transient) {
  const std::string whole = chat_reply("Hello");
  for (const std::string& body :
       {std::string(), whole.substr(0, whole.size() / 2), std::string("<html>"),
        std::string(R"({"message":{"content":"Hel"},"done":false})"),
        std::string(R"({"message":{"content":"a"},"done":false})") + "\n{\"mess"}) {
    BOOST_TEST(language().judge(reply_of(200, body)).kind == Verdict::again, body);
    const Row row = read(body);
    BOOST_TEST(row.outcome == PSW_OUTCOME_ERROR_BACKEND, body);
    BOOST_TEST(row.code == PSW_E_DATA);
  }
  const Row loaded = read(R"({"message":{"content":""},"done":true,"done_reason":"load"})");
  BOOST_TEST(loaded.outcome == PSW_OUTCOME_ERROR_BACKEND);
}

// Ollama's guard: the same answer would be broken off again.
BOOST_AUTO_TEST_CASE(endless_repetition_is_final) {
  std::string ha;
  for (int i = 0; i < 31; ++i) ha += " ha";
  const std::string body = R"({"message":{"content":"I say)" + ha + R"("},"done":false})";
  BOOST_TEST(language().judge(reply_of(200, body)).kind == Verdict::done);
  BOOST_TEST(read(body).outcome == PSW_OUTCOME_ERROR_REQUEST);
  const Reply told = reply_of(500, R"({"error":"prediction aborted, token repeat limit reached"})");
  BOOST_TEST(language().judge(told).kind == Verdict::done);
  BOOST_TEST(read(told).outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(!ends_in_repetition("one two three one two three"));
  BOOST_TEST(!ends_in_repetition(""));
  BOOST_TEST(ends_in_repetition(std::string(30, 'a')));
}

BOOST_AUTO_TEST_CASE(errors_have_outcomes) {
  struct Case {
    int status;
    const char* body;
    std::int32_t outcome;
    Verdict::Kind verdict;
  };
  const Case cases[] = {
      {503, R"({"error":"server busy, please try again.  maximum pending requests exceeded"})",
       PSW_OUTCOME_ERROR_BACKEND, Verdict::again},
      {500,
       R"({"error":"model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details"})",
       PSW_OUTCOME_ERROR_BACKEND, Verdict::again},
      {400,
       R"({"error":"the prompt is longer than the context length currently available to the model; x"})",
       PSW_OUTCOME_PROMPT_TRUNCATED, Verdict::done},
      {400, R"({"error":"{\"error\":{\"type\":\"exceed_context_size_error\"}}"})",
       PSW_OUTCOME_PROMPT_TRUNCATED, Verdict::done},
      {400, R"({"error":"invalid options: x"})", PSW_OUTCOME_ERROR_REQUEST, Verdict::done},
      {502, "<html>Bad Gateway</html>", PSW_OUTCOME_ERROR_BACKEND, Verdict::again},
      // Before 0.12.6, and in the middle of a stream.
      {200, R"({"error":"an error was encountered while running the model: x"})",
       PSW_OUTCOME_ERROR_BACKEND, Verdict::again},
      {200, "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"error\":\"broken\"}",
       PSW_OUTCOME_ERROR_BACKEND, Verdict::again},
  };
  for (const Case& c : cases) {
    const Reply reply = reply_of(c.status, c.body);
    const Row row = read(reply);
    BOOST_TEST(row.outcome == c.outcome, c.body);
    BOOST_TEST(language().judge(reply).kind == c.verdict, c.body);
    BOOST_TEST(!row.body.at("error").get<std::string>().empty());
  }
  BOOST_TEST(language().judge(reply_of(503, cases[0].body)).congested);
}

BOOST_AUTO_TEST_CASE(what_no_row_can_help_ends_the_job) {
  for (const char* memory : {"model requires more system memory (9 GiB) than is available (2 GiB)",
                             "llama-server reported out-of-memory during startup: x",
                             "llama runner process has terminated: exit status 2",
                             "cudaMalloc failed: x", "unable to load full model on GPU"}) {
    const Reply reply = reply_of(500, json{{"error", memory}}.dump());
    BOOST_TEST(ending(reply) == PSW_E_RESOURCE, memory);
    BOOST_TEST(language().judge(reply).kind == Verdict::done, memory);
    BOOST_TEST(ending(reply_of(200, json{{"error", memory}}.dump())) == PSW_E_RESOURCE, memory);
  }
  std::string text;
  BOOST_TEST(ending(reply_of(404, R"({"error":"model 'm:1b' not found"})"), &text) ==
             PSW_E_NOT_FOUND);
  BOOST_TEST(text.find("ollama pull m:1b") != std::string::npos);
  BOOST_TEST(ending(reply_of(403, ""), &text) == PSW_E_AUTH);
  BOOST_TEST(text.find("127.0.0.1") != std::string::npos);
  BOOST_TEST(ending(reply_of(401, R"({"error":"unauthorized"})")) == PSW_E_AUTH);
}

BOOST_AUTO_TEST_CASE(prompts_that_were_cut_are_found_by_their_tokens) {
  const auto outcome = [](int evaluated, const std::string& user = "question",
                          const std::string& version = "0.33.0") {
    json reply = json::parse(chat_reply("a"));
    reply["prompt_eval_count"] = evaluated;
    return read(reply_of(200, reply.dump()), language(R"({"num_ctx":128})", version),
                line_of(R"("temperature":0)", user))
        .outcome;
  };
  // 128 - 16 tokens are the prompt's.
  BOOST_TEST(outcome(112) == PSW_OUTCOME_OK);
  BOOST_TEST(outcome(113) == PSW_OUTCOME_PROMPT_TRUNCATED);
  BOOST_TEST(outcome(128) == PSW_OUTCOME_PROMPT_TRUNCATED);
  // Far fewer tokens than any tokenizer makes of so many letters.
  std::string prose;
  for (int i = 0; i < 60; ++i) prose += "word" + std::to_string(i) + " ";
  BOOST_TEST(outcome(60, prose) == PSW_OUTCOME_OK);
  BOOST_TEST(outcome(30, prose) == PSW_OUTCOME_PROMPT_TRUNCATED);
  BOOST_TEST(outcome(30, prose, "0.30.0") == PSW_OUTCOME_OK);  // it counted no cached tokens
  BOOST_TEST(outcome(5, std::string(400, '-') + std::string(400, ' ')) == PSW_OUTCOME_OK);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_down_is_told_with_the_remedy) {
  Reply reply;
  reply.failure = Failure::connect;
  reply.failure_text = "connection refused";
  const psw::Error error = explain("GET x", reply, parse_options(R"({"model":"m"})"));
  BOOST_TEST(error.code == PSW_E_UNAVAILABLE);
  BOOST_TEST(error.text.find("ollama serve") != std::string::npos);
  reply.failure = Failure::timeout;
  BOOST_TEST(read(reply).outcome == PSW_OUTCOME_ERROR_TIMEOUT);
}
