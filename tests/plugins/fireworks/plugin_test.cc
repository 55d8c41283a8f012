// SPDX-License-Identifier: Apache-2.0
// The plugin in its host process, against the emulated provider.
#define BOOST_TEST_MODULE fireworks_plugin
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "emulator_process.h"
#include "session.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

struct Provider : EmulatorProcess {
  explicit Provider(std::vector<std::string> more = {}, const json& faults = json::array())
      : EmulatorProcess(arguments(std::move(more), faults)) {}
  json counts() const { return ask_emulator(url(), "/_emulator/counts"); }
  std::size_t jobs_made() const { return counts().at("jobs").at("created").get<std::size_t>(); }
  std::size_t requests(const std::string& route) const {
    return counts().at("requests").value(route, std::size_t{0});
  }

 private:
  static std::vector<std::string> arguments(std::vector<std::string> more, const json& faults) {
    static TemporaryFolder folder;
    static int number = 0;
    more.insert(more.begin(), {"fireworks", "--model", "emulated", "--key", emulator_key});
    if (!faults.empty()) {
      const std::string path = (folder / (std::to_string(++number) + ".json")).string();
      std::ofstream(path) << json{{"faults", faults}}.dump();
      more.insert(more.end(), {"--faults", path});
    }
    return more;
  }
};

json fault(const char* name, json more = json::object()) {
  more["fault"] = name;
  return json::array({more});
}

std::size_t count(const std::map<std::string, ResultRow>& rows, Outcome outcome) {
  return static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [&](const auto& row) { return row.second.outcome == outcome; }));
}

std::size_t answered(const std::map<std::string, ResultRow>& rows) {
  return count(rows, Outcome::ok) + count(rows, Outcome::truncated);
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_batch_is_answered_paid_once_and_cleared_away) {
  Provider provider;
  {
    Session session(hasty(provider.url()));
    const auto rows = session.ask(questions(50));
    BOOST_TEST(rows.size() == 50u);
    BOOST_TEST(answered(rows) == 50u);
    BOOST_TEST(rows.at("r7").prompt_tokens.has_value());
    BOOST_TEST(!rows.at("r7").remote_id.empty());
    BOOST_TEST((session.last.state == JobState::succeeded));
    const json identity = json::parse(session.backend->engine_identity().value());
    const json expected{{"host", "127.0.0.1"},
                        {"mode", "batch"},
                        {"model", "accounts/fireworks/models/emulated"},
                        {"service", "fireworks"}};
    BOOST_TEST(identity == expected);
    BOOST_TEST(!session.has_written(emulator_key));
    BOOST_TEST(provider.requests("job_delete") == 0u);
  }
  const json counts = provider.counts();
  BOOST_TEST(counts.at("jobs").at("created") == 1);
  BOOST_TEST(counts.at("jobs").at("rows_paid") == 50);
  BOOST_TEST(counts.at("authorization_on_signed_urls") == 0);
  BOOST_TEST(counts.at("unknown_routes").empty());
  BOOST_TEST(provider.requests("job_delete") == 1u);
  BOOST_TEST(provider.requests("dataset_delete") == 2u);
}

BOOST_AUTO_TEST_CASE(cleanup_keep_leaves_everything) {
  Provider provider;
  {
    Session session(hasty(provider.url(), {{"cleanup", "keep"}}));
    BOOST_TEST(answered(session.ask(questions(3))) == 3u);
  }
  BOOST_TEST(provider.requests("job_delete") == 0u);
  BOOST_TEST(provider.requests("dataset_delete") == 0u);
}

BOOST_AUTO_TEST_CASE(a_large_file_goes_by_a_signed_url) {
  Provider provider({}, json::array({{{"fault", "put_url_expired"}},
                                     {{"fault", "validate_not_settled"}, {"times", 3}},
                                     {{"fault", "signed_url_expired"}}}));
  Session session(hasty(provider.url(), {{"upload_limit_bytes", 100}}));
  BOOST_TEST(answered(session.ask(questions(20))) == 20u);
  const json counts = provider.counts();
  BOOST_TEST(counts.at("requests").at("storage_put") == 2);
  BOOST_TEST(counts.at("authorization_on_signed_urls") == 0);
  BOOST_TEST(provider.requests("dataset_upload") == 0u);
}

// D28.
BOOST_AUTO_TEST_CASE(a_lost_reply_to_a_creation_makes_no_second_job) {
  for (const char* name : {"lost_create_reply", "html_create_reply"}) {
    Provider provider({}, fault(name));
    Session session(hasty(provider.url()));
    BOOST_TEST(answered(session.ask(questions(10))) == 10u);
    BOOST_TEST(provider.jobs_made() == 1u);
    BOOST_TEST(provider.counts().at("jobs").at("rows_paid") == 10);
  }
}

BOOST_AUTO_TEST_CASE(a_job_outlives_the_instance_and_is_attached_to) {
  Provider provider({"--job-ms", "1500"});
  std::string token;
  {
    Session session(hasty(provider.url()));
    BOOST_REQUIRE(session.submit(questions(10), {}));
    session.wait_for("job-1", [&](const JobStatus&) { return !session.token().empty(); });
    token = session.token();
  }
  BOOST_TEST(provider.requests("job_delete") == 0u);
  for (const std::string& known : {token, std::string()}) {
    Session later(hasty(provider.url(), {{"cleanup", "keep"}}));
    BOOST_REQUIRE(later.submit(questions(10), {"job-1", true, known}));
    BOOST_TEST(answered(later.collect("job-1")) == 10u);
  }
  BOOST_TEST(provider.jobs_made() == 1u);
  BOOST_TEST(provider.requests("dataset_upload") == 1u);
}

BOOST_AUTO_TEST_CASE(a_killed_host_process_loses_no_job) {
  Provider provider({"--job-ms", "1000"});
  Session session(hasty(provider.url()), emulator_key, "process");
  BOOST_REQUIRE(session.submit(questions(10), {}));
  session.wait_for("job-1", [&](const JobStatus&) { return provider.jobs_made() == 1; });
  session.kill_host();
  while (session.backend->poll("job-1")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  BOOST_REQUIRE(session.backend->lost());
  BOOST_REQUIRE(session.backend->reopen());
  BOOST_REQUIRE(session.submit(questions(10), {"job-1", true, ""}));
  BOOST_TEST(answered(session.collect("job-1")) == 10u);
  BOOST_TEST(provider.jobs_made() == 1u);
}

BOOST_AUTO_TEST_CASE(attaching_to_nothing_is_not_found_and_makes_nothing) {
  Provider provider;
  Session session(hasty(provider.url()));
  BOOST_REQUIRE(session.submit(questions(3), {"job-1", true, ""}));
  BOOST_TEST(session.collect("job-1").empty());
  BOOST_REQUIRE(session.last.failure.has_value());
  BOOST_TEST((session.last.failure->code == Code::not_found));
  BOOST_TEST(provider.jobs_made() == 0u);
}

BOOST_AUTO_TEST_CASE(an_expired_job_is_continued_and_nothing_is_paid_twice) {
  Provider provider({}, fault("expired_partial"));
  Session session(hasty(provider.url()));
  const auto rows = session.ask(questions(40));
  BOOST_TEST(answered(rows) == 40u);
  const json jobs = provider.counts().at("jobs");
  BOOST_TEST(jobs.at("created") == 2);
  BOOST_TEST(jobs.at("rows_paid") == 40);
  BOOST_TEST(jobs.at("each")[1].at("id").get<std::string>().ends_with("-c1"));
}

BOOST_AUTO_TEST_CASE(a_job_that_expires_again_and_again_ends_expired) {
  Provider provider({}, fault("expired_always"));
  Session session(hasty(provider.url(), {{"max_continuations", 1}}));
  const auto rows = session.ask(questions(5));
  BOOST_TEST(count(rows, Outcome::expired) == 5u);
  BOOST_TEST((session.last.state == JobState::expired));
  BOOST_TEST(provider.jobs_made() == 2u);
}

BOOST_AUTO_TEST_CASE(a_full_quota_is_waited_for_and_said) {
  Provider provider({}, fault("quota", {{"times", 3}}));
  Session session(hasty(provider.url(), {{"poll_s", 0.1}, {"poll_max_s", 0.1}}));
  BOOST_REQUIRE(session.submit(questions(5), {}));
  session.wait_for("job-1",
                   [](const JobStatus& s) { return says(s.stage, "job-submission-count"); });
  BOOST_TEST(answered(session.collect("job-1")) == 5u);
  BOOST_TEST(provider.jobs_made() == 1u);
}

BOOST_AUTO_TEST_CASE(jobs_beyond_the_limit_wait_for_each_other) {
  Provider provider({"--job-ms", "200", "--max-jobs", "2"});
  Session session(hasty(provider.url(), {{"max_concurrent_jobs", 2}}));
  for (int i = 0; i < 5; ++i) {
    BOOST_REQUIRE(session.submit(questions(4), {"job-" + std::to_string(i), false, ""}));
  }
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(answered(session.collect("job-" + std::to_string(i))) == 4u);
  }
  BOOST_TEST(provider.jobs_made() == 5u);
  BOOST_TEST(provider.counts().at("quota_refusals") == 0);
}

BOOST_AUTO_TEST_CASE(a_job_that_never_starts_ends_at_the_deadline) {
  Provider provider({}, fault("pending_forever"));
  Session session(hasty(provider.url(), {{"deadline_h", 0.0003}}));
  const auto before = std::chrono::steady_clock::now();
  const auto rows = session.ask(questions(5));
  const auto took = std::chrono::steady_clock::now() - before;
  BOOST_TEST(std::chrono::duration_cast<std::chrono::seconds>(took).count() < 10);
  BOOST_TEST(count(rows, Outcome::expired) == 5u);
  BOOST_TEST(says(session.log(), "still PENDING"));
  BOOST_TEST(provider.requests("job_delete") == 1u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_is_cancelled_at_the_provider) {
  Provider provider({}, fault("pending_forever"));
  Session session(hasty(provider.url()));
  BOOST_REQUIRE(session.submit(questions(5), {}));
  session.wait_for("job-1", [&](const JobStatus&) { return !session.token().empty(); });
  const auto before = std::chrono::steady_clock::now();
  BOOST_REQUIRE(session.backend->cancel("job-1"));
  const auto rows = session.collect("job-1");
  const auto took = std::chrono::steady_clock::now() - before;
  BOOST_TEST(std::chrono::duration_cast<std::chrono::milliseconds>(took).count() < 3000);
  BOOST_TEST(count(rows, Outcome::cancelled) == 5u);
  BOOST_TEST((session.last.state == JobState::cancelled));
  BOOST_TEST(provider.requests("job_delete") == 1u);
}

BOOST_AUTO_TEST_CASE(a_provider_that_falls_silent_leaves_the_job_open) {
  Provider provider({}, fault("pending_forever"));
  Session session(hasty(provider.url(), {{"deadline_h", 0.0005}}));
  BOOST_REQUIRE(session.submit(questions(5), {}));
  session.wait_for("job-1", [&](const JobStatus&) { return !session.token().empty(); });
  provider.end();
  const auto rows = session.collect("job-1");
  BOOST_TEST(rows.empty());
  BOOST_REQUIRE(session.last.failure.has_value());
  BOOST_TEST((session.last.failure->code == Code::unavailable));
}

BOOST_AUTO_TEST_CASE(realtime_gives_the_answers_of_the_batch) {
  Provider provider;
  Session batch(hasty(provider.url()));
  const auto expected = batch.ask(questions(30));
  Session realtime(hasty(provider.url(), {{"mode", "realtime"}}));
  const auto rows = realtime.ask(questions(30));
  BOOST_TEST(answered(rows) == 30u);
  for (const auto& [id, row] : rows) {
    BOOST_TEST(row.text == expected.at(id).text);
    BOOST_TEST((row.outcome == expected.at(id).outcome));
    BOOST_TEST((row.prompt_tokens == expected.at(id).prompt_tokens));
    BOOST_TEST((row.completion_tokens == expected.at(id).completion_tokens));
  }
  BOOST_TEST(provider.jobs_made() == 1u);
  BOOST_REQUIRE(realtime.submit(questions(3), {"job-2", true, ""}));
  BOOST_TEST(realtime.collect("job-2").empty());
  BOOST_TEST((realtime.last.failure->code == Code::not_found));
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_said_before_any_work) {
  Provider provider;
  const Session wrong_key(hasty(provider.url()), "another-key-0123456789");
  BOOST_TEST(says(wrong_key.refusal, "FIREWORKS_API_KEY"));
  BOOST_TEST(says(wrong_key.refusal, "invalid"));
  BOOST_TEST(!says(wrong_key.refusal, "another-key"));
  const Session no_key(hasty(provider.url()), "");
  BOOST_TEST(says(no_key.refusal, "set FIREWORKS_API_KEY"));
  const Session no_model(hasty(provider.url(), {{"model", "gpt-oss-999b"}}));
  BOOST_TEST(says(no_model.refusal, "gpt-oss-999b"));
  const Session mail(hasty(provider.url(), {{"account_id", "me@example.org"}}));
  BOOST_TEST(says(mail.refusal, "/account_id"));
  const Session typo(hasty(provider.url(), {{"pol_s", 1}}));
  BOOST_TEST(says(typo.refusal, "/pol_s"));
  const std::string url = provider.url();
  provider.end();
  const Session down(hasty(url));
  BOOST_TEST(says(down.refusal, url));
  for (const Session* session : {&wrong_key, &no_key, &no_model, &mail, &typo, &down}) {
    BOOST_TEST(!session->backend);
    BOOST_TEST(!says(session->refusal, "\n"));
  }
}
