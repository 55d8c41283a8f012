// SPDX-License-Identifier: Apache-2.0
#include "backend/dry_run.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "base/env.h"
#include "temporary_folder.h"

namespace promptsweep {
namespace {

JobRequest job_of(const std::filesystem::path& path, const std::string& lines, int count) {
  BOOST_REQUIRE(write_file_atomic(path, lines));
  JobRequest job;
  job.job_id = "j";
  job.requests_path = path;
  job.request_count = static_cast<std::uint64_t>(count);
  return job;
}

// D46: the original's dry run gave one row an arm instead of one a request.
BOOST_AUTO_TEST_CASE(a_dry_run_answers_every_request_once_and_marks_it) {
  TemporaryFolder folder;
  const auto backend = make_dry_run_backend();
  BOOST_TEST(backend->engine_identity().value() == R"({"engine":"dry-run"})");
  std::string lines;
  for (int i = 0; i < 5; ++i) lines += R"({"request_id":"r)" + std::to_string(i) + "\"}\n";
  const JobRequest job = job_of(folder / "a.jsonl", lines, 5);
  BOOST_REQUIRE(backend->submit(job));
  BOOST_REQUIRE(!backend->submit(job));
  std::set<std::string> answered;
  const ResultSink sink = [&](ResultRow row) -> Status {
    if (row.request_id == "r3" && !answered.contains("refused")) {
      answered.insert("refused");
      return Error{Code::io, "disk full"};
    }
    BOOST_TEST(row.text == "[dry run] " + row.request_id);
    BOOST_TEST(answered.insert(row.request_id).second);
    return ok;
  };
  BOOST_TEST(backend->fetch("j", 2, 0, sink).value().more);
  BOOST_REQUIRE(!backend->fetch("j", 9, 0, sink));
  BOOST_TEST((backend->poll("j").value().state == JobState::running));
  BOOST_TEST(!backend->fetch("j", 9, 0, sink).value().more);
  BOOST_TEST(answered.size() == 6U);
  BOOST_TEST((backend->poll("j").value().state == JobState::succeeded));
  BOOST_REQUIRE(backend->close("j"));
  BOOST_REQUIRE(!backend->poll("j"));
}

BOOST_AUTO_TEST_CASE(a_dry_run_refuses_a_file_that_is_not_what_was_announced) {
  TemporaryFolder folder;
  const auto backend = make_dry_run_backend();
  BOOST_REQUIRE(!backend->submit(job_of(folder / "a", "{\"request_id\":\"r\"}\n", 2)));
  BOOST_REQUIRE(!backend->submit(job_of(folder / "b", "{}\n", 1)));
  BOOST_REQUIRE(!backend->submit(job_of(folder / "c", "no json\n", 1)));
  BOOST_REQUIRE(backend->submit(job_of(folder / "d", "{\"request_id\":\"r\"}\n", 1)));
  BOOST_REQUIRE(backend->cancel("j"));
  BOOST_TEST((backend->poll("j").value().state == JobState::cancelled));
}

}  // namespace
}  // namespace promptsweep
