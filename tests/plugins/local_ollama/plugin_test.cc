// SPDX-License-Identifier: Apache-2.0
// The plugin as the core loads it, against an emulated server.
#define BOOST_TEST_MODULE ollama_plugin
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

BOOST_AUTO_TEST_CASE(each_line_is_answered_and_the_same_way_streamed) {
  EmulatorProcess server({"ollama"});
  std::map<std::string, ResultRow> plain;
  {
    PluginSession session("local_ollama", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
    plain = session.ask(questions(40));
    const json identity = json::parse(session.backend->engine_identity().value());
    BOOST_TEST(identity.at("engine") == "ollama");
    BOOST_TEST(identity.at("version") == "0.33.0");
    BOOST_TEST(identity.at("model_digest").get<std::string>().size() == 64u);
    BOOST_TEST(identity.at("num_ctx") == 4096);
  }
  BOOST_TEST(plain.size() == 40u);
  PluginSession session("local_ollama",
                        options_for(server, {{"stream", true}, {"max_concurrent_requests", 4}}));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  const auto streamed = session.ask(questions(40));
  for (const auto& [id, row] : plain) {
    BOOST_TEST_REQUIRE(is_answer(row), row.error);
    BOOST_TEST(row.attempts == 1);
    BOOST_TEST(streamed.at(id).text == row.text);
    BOOST_TEST((streamed.at(id).prompt_tokens == row.prompt_tokens));
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_before_any_work) {
  const auto refusal = [](const json& options) {
    return PluginSession("local_ollama", options).refusal;
  };
  BOOST_TEST(refusal({{"model", "m"}, {"base_url", "http://127.0.0.1:1"}}).find("ollama serve") !=
             std::string::npos);
  EmulatorProcess server({"ollama", "--model", "llama3.2:1b", "--context", "8192"});
  const std::string unknown = refusal(options_for(server, {{"model", "llama3.1:1b"}}));
  BOOST_TEST(unknown.find("ollama pull llama3.1:1b") != std::string::npos, unknown);
  BOOST_TEST(unknown.find("it has llama3.2:1b") != std::string::npos, unknown);
  const auto known = [&](json more) {
    more["model"] = "llama3.2:1b";
    return refusal(options_for(server, more));
  };
  BOOST_TEST(known(json::object()).empty());
  BOOST_TEST(known({{"num_ctx", 9000}}).find("/num_ctx") != std::string::npos);
  BOOST_TEST(known({{"think", "on"}}).find("/think") != std::string::npos);
  BOOST_TEST(known({{"num_ctxx", 1}}).find("num_ctxx") != std::string::npos);
  EmulatorProcess other({"openai"});
  BOOST_TEST(!refusal(options_for(other)).empty());
}

BOOST_AUTO_TEST_CASE(transient_faults_change_no_answer) {
  EmulatorProcess undisturbed({"ollama"});
  PluginSession calm("local_ollama", options_for(undisturbed));
  BOOST_REQUIRE_MESSAGE(calm.backend, calm.refusal);
  const auto expected = calm.ask(questions(12));
  for (const char* fault :
       {"reset_before", "lost_reply", "reset_within", "cut_body", "cut_stream", "malformed_json",
        "empty_body", "split_bytes", "http_500", "http_503", "html_502", "queue_full",
        "runner_stopped", "error_in_200", "done_false", "numbers_as_strings", "unknown_fields"}) {
    TemporaryFolder folder;
    EmulatorProcess server(PluginSession::with_faults(
        {"ollama"}, folder,
        json{{"faults", {{{"fault", fault}, {"route", "chat"}, {"requests", {3, 4, 9}}}}}}.dump()));
    PluginSession session("local_ollama", options_for(server));
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
  for (const char* fault :
       {"reset_before", "lost_reply", "reset_within", "cut_body", "cut_stream", "malformed_json",
        "empty_body", "split_bytes", "http_500", "http_503", "html_502", "refuse_connections"}) {
    TemporaryFolder folder;
    EmulatorProcess server(PluginSession::with_faults(
        {"ollama"}, folder,
        json{{"faults", {{{"fault", fault}, {"route", "any"}, {"requests", {0, 2, 4, 6, 8, 13}}}}}}
            .dump()));
    PluginSession session("local_ollama", options_for(server));
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
      {"out_of_memory", Outcome::error_backend, "memory"},
      {"model_deleted", Outcome::error_backend, "ollama pull"},
  };
  for (const Case& c : cases) {
    TemporaryFolder folder;
    // From the third on: the first two are the load and a good answer.
    EmulatorProcess server(PluginSession::with_faults(
        {"ollama"}, folder,
        json{{"faults", {{{"fault", c.fault}, {"route", "chat"}, {"from", 2}}}}}.dump()));
    PluginSession session("local_ollama", options_for(server));
    BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
    const auto rows = session.ask(questions(8));
    std::size_t typed = 0;
    for (const auto& [id, row] : rows) typed += row.outcome == c.outcome ? 1 : 0;
    BOOST_TEST(typed >= 6u, c.fault);
    BOOST_TEST(session.last_failure.find(c.failure) != std::string::npos,
               c.fault << ": " << session.last_failure);
    BOOST_TEST(session.last_failure.empty() == std::string(c.failure).empty(), c.fault);
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_cut_in_silence_is_found) {
  TemporaryFolder folder;
  EmulatorProcess server(PluginSession::with_faults(
      {"ollama"}, folder, R"({"faults":[{"fault":"silent_truncation","route":"chat","from":0}]})"));
  PluginSession session("local_ollama", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  std::string system;
  for (int i = 0; i < 100; ++i) system += "word" + std::to_string(i) + " ";
  const auto rows = session.ask({chat_line("a", system, "why")});
  BOOST_TEST((rows.at("a").outcome == Outcome::prompt_truncated), rows.at("a").error);
}

BOOST_AUTO_TEST_CASE(a_model_that_changes_in_mid_run_stops_it) {
  TemporaryFolder folder;
  EmulatorProcess server(PluginSession::with_faults(
      {"ollama"}, folder,
      R"({"faults":[{"fault":"digest_changed","route":"chat","requests":[5]}]})"));
  PluginSession session("local_ollama", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  session.ask(questions(10));
  BOOST_TEST(session.last_failure.find("changed") != std::string::npos, session.last_failure);
  const auto rows = session.ask(questions(3));
  for (const auto& [id, row] : rows) BOOST_TEST((row.outcome == Outcome::error_backend));
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_leaves_at_once) {
  EmulatorProcess server({"ollama", "--latency-ms", "20000"});
  PluginSession session("local_ollama", options_for(server));
  BOOST_REQUIRE_MESSAGE(session.backend, session.refusal);
  const std::string job = session.submit(questions(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto begin = std::chrono::steady_clock::now();
  BOOST_REQUIRE(session.backend->cancel(job));
  const auto rows = session.collect(job);
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  BOOST_TEST(took.count() < 1.0);
  for (const auto& [id, row] : rows) BOOST_TEST((row.outcome == Outcome::cancelled));
}
