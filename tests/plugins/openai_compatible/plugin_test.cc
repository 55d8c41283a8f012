// SPDX-License-Identifier: Apache-2.0
// The plugin as the core loads it, against an emulated server in its dialects.
#define BOOST_TEST_MODULE openai_plugin
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "emulator_process.h"
#include "plugins/plugin_session.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

json options_for(const EmulatorProcess& server, json more = json::object()) {
  more["base_url"] = server.url();
  if (!more.contains("model")) more["model"] = "emulated";
  return more;
}

std::vector<json> questions(int count) {
  std::vector<json> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(chat_line("r" + std::to_string(i), "Answer briefly.",
                            "Question number " + std::to_string(i)));
  }
  return out;
}

bool is_answer(const ResultRow& row) {
  return row.outcome == Outcome::ok || row.outcome == Outcome::truncated;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_dialect_is_recognised_and_answers_alike) {
  std::map<std::string, ResultRow> first;
  for (const auto& [emulated, engine] : std::map<std::string, std::string>{
           {"llama", "llama_server"}, {"vllm", "vllm"}, {"openai", "generic"}}) {
    EmulatorProcess server({"openai", "--dialect", emulated});
    PluginSession session("openai_compatible", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
    const json identity = json::parse(session.backend->engine_identity().value());
    BOOST_TEST(identity.at("engine") == engine);
    BOOST_TEST(identity.at("model") == "emulated");
    // Of a service that tells nothing but a name, where it is; the others may move.
    BOOST_TEST(identity.value("host", "") == (engine == "generic" ? "loopback" : ""));
    const auto rows = session.ask(questions(60));
    BOOST_TEST(rows.size() == 60u);
    if (first.empty()) first = rows;
    for (const auto& [id, row] : rows) {
      BOOST_TEST_REQUIRE(is_answer(row), row.error);
      BOOST_TEST(row.text == first.at(id).text);
      BOOST_TEST(row.prompt_tokens.has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_before_any_work) {
  const auto refusal = [](const json& options, std::map<std::string, std::string> secrets = {}) {
    return PluginSession("openai_compatible", options, std::move(secrets)).refusal;
  };
  const auto tells = [](const std::string& text, const char* words) {
    BOOST_TEST(text.find(words) != std::string::npos, text);
  };
  tells(refusal({{"model", "m"}, {"base_url", "http://127.0.0.1:1"}}), "no server answers");
  EmulatorProcess server({"openai", "--model", "llama-3.2-1b", "--key", "right-key"});
  const json known = options_for(server, {{"model", "llama-3.2-1b"}});
  tells(refusal(known), "wants a key");
  json with_key = known;
  with_key["api_key"] = "OPENAI_COMPATIBLE_API_KEY";
  tells(refusal(with_key), "is not set");
  const std::string wrong = refusal(with_key, {{"OPENAI_COMPATIBLE_API_KEY", "wrong-key"}});
  tells(wrong, "refuses the key in OPENAI_COMPATIBLE_API_KEY");
  BOOST_TEST(wrong.find("wrong-key") == std::string::npos);
  BOOST_TEST(refusal(with_key, {{"OPENAI_COMPATIBLE_API_KEY", "right-key"}}) == "");
  json unknown = with_key;
  unknown["model"] = "llama-3.1-1b";
  tells(refusal(unknown, {{"OPENAI_COMPATIBLE_API_KEY", "right-key"}}), "it has llama-3.2-1b");
  json typo = known;
  typo["dialekt"] = "auto";
  tells(refusal(typo), "dialekt");
  json path = with_key;
  path["base_url"] = server.url() + "/elsewhere";
  tells(refusal(path, {{"OPENAI_COMPATIBLE_API_KEY", "right-key"}}), "/base_url");
}

BOOST_AUTO_TEST_CASE(a_server_that_loads_its_model_is_waited_for) {
  EmulatorProcess server({"openai", "--loading-ms", "1500"});
  PluginSession session("openai_compatible", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  BOOST_TEST(is_answer(session.ask(questions(1)).at("r0")));
}

BOOST_AUTO_TEST_CASE(transient_faults_change_no_answer) {
  EmulatorProcess undisturbed({"openai"});
  PluginSession calm("openai_compatible", options_for(undisturbed));
  BOOST_REQUIRE_MESSAGE(calm.backend, calm.refusal);
  const auto expected = calm.ask(questions(12));
  for (const char* fault : {"reset_before",       "lost_reply",      "reset_within",
                            "cut_body",           "cut_stream",      "malformed_json",
                            "empty_body",         "split_bytes",     "http_500",
                            "http_503",           "html_502",        "flat_error",
                            "string_error",       "limit_ms",        "loading",
                            "error_in_200",       "old_error_event", "content_parts",
                            "numbers_as_strings", "unknown_fields"}) {
    TemporaryFolder folder;
    EmulatorProcess server(PluginSession::with_faults(
        {"openai"}, folder,
        json{{"faults", {{{"fault", fault}, {"route", "chat"}, {"requests", {2, 3, 8}}}}}}.dump()));
    PluginSession session("openai_compatible", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
    const auto rows = session.ask(questions(12));
    for (const auto& [id, row] : expected) {
      BOOST_TEST_REQUIRE(is_answer(rows.at(id)), fault << " " << id << ": " << rows.at(id).error);
      BOOST_TEST(rows.at(id).text == row.text, fault);
    }
  }
}

// Looking at the server meets them too.
BOOST_AUTO_TEST_CASE(transient_faults_of_any_call_change_no_answer) {
  for (const char* fault : {"reset_before", "lost_reply", "reset_within", "cut_body", "cut_stream",
                            "malformed_json", "empty_body", "split_bytes", "http_500", "http_503",
                            "html_502", "refuse_connections", "limit_ms"}) {
    TemporaryFolder folder;
    EmulatorProcess server(PluginSession::with_faults(
        {"openai"}, folder,
        json{{"faults", {{{"fault", fault}, {"route", "any"}, {"requests", {0, 2, 4, 6, 8, 13}}}}}}
            .dump()));
    PluginSession session("openai_compatible", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, fault << ": " << session.refusal);
    for (const auto& [id, row] : session.ask(questions(8)))
      BOOST_TEST_REQUIRE(is_answer(row), fault << " " << id << ": " << row.error);
    BOOST_TEST(session.last_failure == "", fault);
  }
}

BOOST_AUTO_TEST_CASE(permanent_faults_are_typed) {
  struct Case {
    const char* fault;
    Outcome outcome;
    const char* failure;  // in the failed job's sentence; empty: the job does not fail
  };
  const Case cases[] = {
      {"bad_request", Outcome::error_request, ""},
      {"context_exceeded", Outcome::prompt_truncated, ""},
      {"html_413", Outcome::error_request, ""},
      {"key_revoked", Outcome::error_backend, "401"},
      {"model_deleted", Outcome::error_backend, "404"},
      {"insufficient_quota", Outcome::error_backend, "quota"},
      {"not_supported", Outcome::error_backend, "501"},
  };
  for (const Case& c : cases) {
    TemporaryFolder folder;
    EmulatorProcess server(PluginSession::with_faults(
        {"openai"}, folder,
        json{{"faults", {{{"fault", c.fault}, {"route", "chat"}, {"from", 2}}}}}.dump()));
    PluginSession session("openai_compatible", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
    const auto rows = session.ask(questions(200));
    std::size_t typed = 0;
    for (const auto& [id, row] : rows) typed += row.outcome == c.outcome ? 1 : 0;
    BOOST_TEST(typed == 198u, c.fault);
    BOOST_TEST(session.last_failure.find(c.failure) != std::string::npos,
               c.fault << ": " << session.last_failure);
    BOOST_TEST(session.last_failure.empty() == std::string(c.failure).empty(), c.fault);
  }
}

BOOST_AUTO_TEST_CASE(a_sampling_option_that_the_server_lacks_is_refused_unsent) {
  EmulatorProcess server({"openai", "--dialect", "openai"});
  PluginSession session("openai_compatible", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  json line = chat_line("a", "s", "u");
  line["top_k"] = 5;
  const ResultRow row = session.ask({line}).at("a");
  BOOST_TEST((row.outcome == Outcome::error_request));
  BOOST_TEST(row.error.find("top_k") != std::string::npos);
}

// Prompt and max_tokens have to fit together, as in process.
BOOST_AUTO_TEST_CASE(a_slots_context_is_known_and_kept) {
  EmulatorProcess server({"openai", "--num-ctx", "64"});
  PluginSession session("openai_compatible", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  std::string forty;
  for (int i = 0; i < 40; ++i) forty += "word ";
  const auto rows =
      session.ask({chat_line("fits", forty, "why", 8), chat_line("not", forty, "why", 40)});
  BOOST_TEST(is_answer(rows.at("fits")), rows.at("fits").error);
  BOOST_TEST((rows.at("not").outcome == Outcome::prompt_truncated), rows.at("not").error);
}

BOOST_AUTO_TEST_CASE(a_key_over_plain_http_is_warned_of) {
  // A name that is not loopback and resolves nowhere: the warning comes before the call.
  PluginSession session(
      "openai_compatible",
      {{"model", "m"}, {"base_url", "http://models.invalid"}, {"api_key", "VLLM_API_KEY"}},
      {{"VLLM_API_KEY", "secret-value"}});
  BOOST_TEST(!session.backend);
  BOOST_TEST(session.log().find("without encryption") != std::string::npos);
  BOOST_TEST((session.log() + session.refusal).find("secret-value") == std::string::npos);
}
