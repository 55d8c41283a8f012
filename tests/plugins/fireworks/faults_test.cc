// SPDX-License-Identifier: Apache-2.0
// Every fault that the emulated provider knows, alone: the answers are those without it, or what
// cannot be had is typed; no rows are paid in two jobs at once, and nothing hangs.
#define BOOST_TEST_MODULE fireworks_faults
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>

#include "emulator_process.h"
#include "session.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

constexpr int rounds = 4;

bool is_transient(Outcome outcome) {
  return outcome != Outcome::ok && outcome != Outcome::truncated && outcome != Outcome::filtered &&
         outcome != Outcome::empty && outcome != Outcome::error_request &&
         outcome != Outcome::prompt_truncated;
}

struct Ended {
  std::map<std::string, ResultRow> rows;
  json counts;
  std::string refusal;
};

// As the core does it: what failed for the moment is offered again in another job, and a job whose
// fate is unknown is looked up under its own key.
void work_off(Session& session, std::vector<json> lines, Ended& ended) {
  for (int round = 0; round < rounds && !lines.empty(); ++round) {
    const std::string key = "job-" + std::to_string(round);
    auto rows = session.ask(lines, key);
    for (int look = 0; look < rounds && rows.empty(); ++look) {
      const bool open = session.last.failure && session.last.failure->code == Code::unavailable;
      const bool absent = session.last.failure && session.last.failure->code == Code::not_found;
      if (!open && !absent) break;
      BOOST_REQUIRE(session.submit(lines, {key, open, ""}));
      rows = session.collect(key);
    }
    if (rows.empty()) return;
    std::vector<json> again;
    for (const json& line : lines) {
      const ResultRow& row = rows.at(line.at("request_id"));
      if (is_transient(row.outcome)) again.push_back(line);
      ended.rows[row.request_id] = row;
    }
    lines = std::move(again);
  }
}

Ended run(const json& faults, const json& options) {
  const TemporaryFolder folder;
  std::ofstream((folder / "faults.json").string()) << json{{"faults", faults}}.dump();
  EmulatorProcess provider({"fireworks", "--model", "emulated", "--key", emulator_key, "--faults",
                            (folder / "faults.json").string()});
  Ended ended;
  {
    Session session(hasty(provider.url(), options));
    ended.refusal = session.refusal;
    if (session.backend) work_off(session, questions(24), ended);
    BOOST_TEST(!session.has_written(emulator_key));
  }
  ended.counts = ask_emulator(provider.url(), "/_emulator/counts");
  return ended;
}

std::vector<json> all_faults(const std::string& mode) {
  EmulatorProcess provider({"fireworks", "--model", "emulated"});
  std::vector<json> out;
  for (const json& fault : ask_emulator(provider.url(), "/_emulator/faults")) {
    if (fault.at("mode") == mode || fault.at("mode") == "any") out.push_back(fault);
  }
  return out;
}

void check_all(const std::string& mode) {
  const json options{
      {"mode", mode}, {"deadline_h", 0.0008}, {"retry_after_max_s", 2}, {"cleanup", "keep"}};
  const Ended plain = run(json::array(), options);
  BOOST_REQUIRE(plain.rows.size() == 24u);
  for (const json& fault : all_faults(mode)) {
    const std::string name = fault.at("name");
    // Not at the first requests, which are those of the start; and with short waits.
    json entry{{"fault", name}};
    if (name.find("late") != std::string::npos || name.find("drip") != std::string::npos) continue;
    BOOST_TEST_CONTEXT(mode << ": " << name) {
      const auto before = std::chrono::steady_clock::now();
      const Ended ended = run(json::array({entry}), options);
      const auto took = std::chrono::steady_clock::now() - before;
      BOOST_TEST_MESSAGE(name << ": "
                              << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                              << " ms");
      BOOST_TEST(std::chrono::duration_cast<std::chrono::seconds>(took).count() < 60);
      if (!ended.counts.is_null()) BOOST_TEST(ended.counts.at("jobs").at("same_input") == 0);
      if (fault.at("kind") == "permanent") continue;
      BOOST_TEST(ended.refusal == "");
      if (fault.at("kind") != "transient") continue;
      BOOST_TEST(ended.rows.size() == 24u);
      for (const auto& [id, row] : ended.rows) {
        BOOST_TEST(row.text == plain.rows.at(id).text, id << ": " << row.error);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(faults_of_batch) { check_all("batch"); }

BOOST_AUTO_TEST_CASE(faults_of_realtime) { check_all("realtime"); }
