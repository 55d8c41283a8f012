// SPDX-License-Identifier: Apache-2.0
// The echo plugin's own promises, on which other tests build.
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "echo_fixture.h"

namespace promptsweep {
namespace {

struct PolicyFixture : EchoFixture {
  JobRequest questions(const std::string& job_id, const std::string& system, int count,
                       const std::string& more = "") {
    JobRequest request;
    request.job_id = job_id;
    request.requests_path = folder / (job_id + ".jsonl");
    request.request_count = static_cast<std::uint64_t>(count);
    std::ofstream out(request.requests_path, std::ios::binary);
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      out << "{\"request_id\":\"" + job_id + n +
                 "\",\"model\":\"m\",\"max_tokens\":16,\"messages\":[{\"role\":\"system\","
                 "\"content\":\"" +
                 system + "\"},{\"role\":\"user\",\"content\":\"Who is Number" + n +
                 " of Rome?\"}]" + more + "}\n";
    }
    return request;
  }

  std::vector<std::string> answers(Backend& backend, const JobRequest& job) {
    BOOST_REQUIRE(bool(backend.submit(job)));
    auto rows = drain(backend, job.job_id);
    std::vector<std::string> out;
    for (std::uint64_t i = 0; i < job.request_count; ++i) {
      out.push_back(rows[job.job_id + std::to_string(i)].text);
    }
    return out;
  }
};

int refusals(const std::vector<std::string>& answers) {
  return static_cast<int>(std::count(answers.begin(), answers.end(), "I don't know."));
}

BOOST_FIXTURE_TEST_SUITE(echo_plugin, PolicyFixture)

BOOST_AUTO_TEST_CASE(an_abstention_instruction_changes_paired_answers) {
  const auto backend = open(R"({"mode": "policy"})", "inline");
  const auto control = answers(*backend, questions("c", "Answer.", 400));
  const auto told = answers(*backend, questions("t", "If unsure say I DON\u2019T KNOW.", 400));
  BOOST_TEST(refusals(control) > 5);
  BOOST_TEST(refusals(control) < 40);
  BOOST_TEST(refusals(told) > 160);
  BOOST_TEST(refusals(told) < 240);
  for (std::size_t i = 0; i < control.size(); ++i) {
    // Paired: who refuses untold refuses told, and an answer stays the same.
    if (control[i] == "I don't know.") BOOST_TEST(told[i] == control[i]);
    if (told[i] != "I don't know.") BOOST_TEST(told[i] == control[i]);
  }
  BOOST_TEST(answers(*backend, questions("c2", "Answer.", 400)) == control);
}

BOOST_AUTO_TEST_CASE(a_share_of_known_questions_is_answered_rightly) {
  std::ofstream(folder / "known.json")
      << R"({"Who is Number1 of Rome?": "Brutus", "Who is Number2 of Rome?": "Cassius"})";
  const std::string options =
      "{\"mode\": \"policy\", \"accuracy\": 1, \"guess_abstain_share\": 0, "
      "\"answers_file\": \"" +
      (folder / "known.json").string() + "\"}";
  const auto backend = open(options, "inline");
  const auto got = answers(*backend, questions("k", "Answer.", 3));
  BOOST_TEST(got[1] == "Brutus");
  BOOST_TEST(got[2] == "Cassius");
  BOOST_TEST((got[0] == "Number0" || got[0] == "Rome"));
}

BOOST_AUTO_TEST_CASE(only_what_may_change_an_answer_changes_it) {
  const auto plain = open("{}", "inline");
  const auto parallel = open(R"({"n_parallel": 4, "jitter_ms": 2})", "inline");
  const auto loud = open(R"({"style": "shout"})", "inline");
  const auto base = answers(*plain, questions("a", "S.", 40));
  BOOST_TEST(answers(*parallel, questions("a", "S.", 40)) == base);
  BOOST_TEST(answers(*loud, questions("a", "S.", 40)) != base);
  // A seed counts when something is sampled, and only then.
  const auto cold = answers(*plain, questions("d", "S.", 40, ",\"temperature\":0,\"seed\":5"));
  BOOST_TEST(cold == base);
  const auto warm = answers(*plain, questions("e", "S.", 40, ",\"temperature\":1,\"seed\":5"));
  BOOST_TEST(warm != base);
  BOOST_TEST(answers(*plain, questions("f", "S.", 40, ",\"temperature\":1,\"seed\":5")) == warm);
  BOOST_TEST(answers(*plain, questions("g", "S.", 40, ",\"temperature\":1,\"seed\":6")) != warm);
}

BOOST_AUTO_TEST_CASE(max_tokens_truncates) {
  const auto backend = open(
      R"({"mode": "policy", "refusal": "I do not know that", "guess_abstain_share": 1})", "inline");
  JobRequest one = job("one", {});
  std::ofstream(one.requests_path) << R"({"request_id":"x","prompt":"Who?","max_tokens":2})"
                                   << "\n"
                                   << R"({"request_id":"y","prompt":"Who?"})"
                                   << "\n";
  one.request_count = 2;
  BOOST_REQUIRE(bool(backend->submit(one)));
  const auto rows = drain(*backend, "one");
  BOOST_TEST((rows.at("x").outcome == Outcome::truncated));
  BOOST_TEST(rows.at("x").text == "I do");
  BOOST_TEST(rows.at("x").finish_reason == "length");
  BOOST_TEST((rows.at("y").outcome == Outcome::error_request));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace promptsweep
