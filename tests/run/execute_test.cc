// SPDX-License-Identifier: Apache-2.0
#include "run/execute.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "prompt/render.h"
#include "run/manifest.h"
#include "store/arm_store.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

// A backend in this process whose answers and failures a test scripts.
struct Script {
  std::function<ResultRow(const std::string& request_id, int offer)> answer;
  std::function<Status(const JobRequest&)> on_submit;
  bool partial_fetch = true;
  bool concurrent = true;
  int die_at_record = -1;  // the backend is lost when it would deliver this record
  int reopen_limit = 100;
  StopFlag* stop_after = nullptr;
  int stop_at_record = -1;
  // A remote service: its jobs outlive the backend, and answer once it is ready.
  bool remote = false, remote_ready = false;
  std::map<std::string, std::vector<std::string>> remote_jobs;
  // What happened.
  int delivered = 0, submits = 0, reopens = 0;
  std::map<std::string, int> offers;
  std::vector<std::size_t> job_sizes;
};

class ScriptedBackend final : public Backend {
 public:
  explicit ScriptedBackend(Script& script) : script_(script) {
    facts_.id = "scripted";
    facts_.partial_fetch = script.partial_fetch;
    facts_.concurrent_jobs = script.concurrent;
    facts_.max_concurrent_jobs = 8;
    facts_.remote = facts_.resumes = script.remote;
  }
  const BackendFacts& facts() const override { return facts_; }
  Result<std::string> engine_identity() override { return std::string(R"({"engine":"scripted"})"); }

  Status submit(const JobRequest& job) override {
    ++script_.submits;
    if (script_.on_submit) {
      if (Status status = script_.on_submit(job); !status) return status;
    }
    if (script_.remote && script_.remote_jobs.contains(job.job_id)) return ok;  // attached
    std::ifstream in(job.requests_path);
    for (std::string line; std::getline(in, line);) {
      waiting()[job.job_id].push_back(nlohmann::json::parse(line).at("request_id"));
    }
    BOOST_TEST(waiting()[job.job_id].size() == job.request_count);
    script_.job_sizes.push_back(job.request_count);
    return ok;
  }
  Result<JobStatus> poll(const std::string& job_id) override {
    if (lost_) return Error{Code::unavailable, "lost"};
    JobStatus status;
    status.state = waiting()[job_id].empty() ? JobState::succeeded : JobState::running;
    if (cancelled_.contains(job_id)) status.state = JobState::cancelled;
    return status;
  }
  Result<FetchResult> fetch(const std::string& job_id, std::uint64_t, std::uint32_t,
                            const ResultSink& sink) override {
    if (lost_) return Error{Code::unavailable, "lost"};
    FetchResult result;
    auto& ids = waiting()[job_id];
    if (cancelled_.contains(job_id)) return result;
    if (script_.remote && !script_.remote_ready) return result;
    if (!ids.empty()) {
      if (script_.delivered == script_.die_at_record) {
        lost_ = true;
        script_.die_at_record = -1;
        begun_.push_back({job_id, index_of_first_waiting(job_id)});
        waiting_.clear();
        return Error{Code::unavailable, "killed by signal 9"};
      }
      const std::string id = ids.front();
      ResultRow row = script_.answer(id, script_.offers[id]++);
      row.request_id = id;
      if (Status taken = sink(row); !taken) return std::move(taken).error();
      ids.erase(ids.begin());
      ++taken_[job_id];
      ++result.delivered;
      if (++script_.delivered == script_.stop_at_record) script_.stop_after->request();
    }
    result.more = false;
    return result;
  }
  Status cancel(const std::string& job_id) override {
    cancelled_.insert(job_id);
    return ok;
  }
  Status close(const std::string& job_id) override {
    waiting().erase(job_id);
    return ok;
  }
  bool lost() const override { return lost_; }
  std::vector<Begun> begun_when_lost() const override { return begun_; }
  Status reopen() override {
    if (++script_.reopens > script_.reopen_limit)
      return Error{Code::unavailable, "restart limit reached"};
    lost_ = false;
    begun_.clear();
    taken_.clear();
    return ok;
  }

 private:
  std::map<std::string, std::vector<std::string>>& waiting() {
    return script_.remote ? script_.remote_jobs : waiting_;
  }
  std::uint64_t index_of_first_waiting(const std::string& job_id) {
    return static_cast<std::uint64_t>(taken_[job_id]);
  }

  Script& script_;
  BackendFacts facts_;
  std::map<std::string, std::vector<std::string>> waiting_;
  std::map<std::string, int> taken_;
  std::set<std::string> cancelled_;
  std::vector<Begun> begun_;
  bool lost_ = false;
};

ResultRow good(const std::string& id, int) {
  ResultRow row;
  row.outcome = Outcome::ok;
  row.text = "answer to " + id;
  row.finish_reason = "stop";
  return row;
}

ResultRow transient() {
  ResultRow row;
  row.outcome = Outcome::error_backend;
  row.error = "try again";
  return row;
}

// One engine, a control and a treatment arm of 10 items each.
struct Sweep {
  TemporaryFolder folder;
  RunPlan plan;
  std::vector<Item> items;
  Script script;
  std::optional<StopFlag> stop{std::in_place};
  Observer observer;
  ExecuteOptions options;

  Sweep() {
    script.answer = good;
    plan.run_id = "x";
    plan.engines.push_back({"engine", "scripted", "model", "{}", "auto"});
    for (int i = 0; i < 10; ++i) {
      Item item;
      item.dataset = "d";
      item.id = std::to_string(i);
      item.type = i < 6 ? TaskType::closed_book : TaskType::open_book;
      item.question = "q" + item.id;
      items.push_back(item);
    }
    for (const char* name : {"control", "treatment"}) {
      ArmSpec arm;
      arm.arm_id = name;
      arm.identity_json = "{}";
      arm.engine_id = "engine";
      arm.condition = *condition_from(name);
      arm.system_prompt = name;
      arm.store_path = std::string("arms/") + name + "/arm.sqlite";
      arm.request_count = 10;
      plan.arms.push_back(arm);
      plan.blocks.push_back({name, TaskType::closed_book, 0, 6});
      plan.blocks.push_back({name, TaskType::open_book, 0, 4});
    }
    TrialSpec trial;
    trial.slug = "trial";
    trial.engine_id = "engine";
    trial.pairs.push_back({0, "control", "treatment"});
    plan.trials.push_back(trial);
    options.stop_grace_us = 200'000;
    options.open = [this](const EngineSpec&, BackendServices) -> Result<std::unique_ptr<Backend>> {
      return std::unique_ptr<Backend>(new ScriptedBackend(script));
    };
  }

  ExecuteSummary run() {
    Result<std::unique_ptr<RunStore>> store = RunStore::open_for_writing(folder / "run_x");
    BOOST_REQUIRE(store);
    Status planned = (*store)->write_plan(plan, items, false);
    BOOST_REQUIRE_MESSAGE(planned, (planned ? "" : planned.error().text));
    Status built = build_arms(**store, plan, items);
    BOOST_REQUIRE_MESSAGE(built, (built ? "" : built.error().text));
    Result<ExecuteSummary> summary = execute(**store, plan, items, options, observer, *stop);
    BOOST_REQUIRE_MESSAGE(summary, (summary ? "" : summary.error().text));
    states = arm_states(**store, plan).value();
    return *summary;
  }
  std::vector<ArmState> states;

  std::map<std::string, std::string> answers() {
    std::map<std::string, std::string> out;
    Result<std::unique_ptr<RunStore>> store = RunStore::open_read_only(folder / "run_x");
    BOOST_REQUIRE(store);
    for (const ArmSpec& arm : plan.arms) {
      Result<std::unique_ptr<ArmStore>> arm_store = (*store)->open_arm_read_only(arm);
      BOOST_REQUIRE(arm_store);
      Status visited =
          (*arm_store)->for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
            BOOST_TEST(out.emplace(row.request.request_id, row.result.text).second);
            return ok;
          });
      BOOST_REQUIRE(visited);
    }
    return out;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(execution)

BOOST_AUTO_TEST_CASE(every_request_is_answered_once) {
  Sweep sweep;
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(summary.complete);
  BOOST_TEST(sweep.script.delivered == 20);
  BOOST_TEST(sweep.answers().size() == 20u);
  // One job an arm and task type, so that token limits at job level are right.
  BOOST_TEST((sweep.script.job_sizes == std::vector<std::size_t>{6, 4, 6, 4}));
}

BOOST_AUTO_TEST_CASE(a_second_run_sends_nothing) {
  Sweep sweep;
  sweep.run();
  const ExecuteSummary again = sweep.run();
  BOOST_TEST(again.complete);
  BOOST_TEST(again.engines.empty());
  BOOST_TEST(sweep.script.submits == 4);
}

BOOST_AUTO_TEST_CASE(transient_failures_are_offered_again_and_counted) {
  Sweep sweep;
  sweep.script.answer = [](const std::string& id, int offer) {
    return offer == 0 ? transient() : good(id, offer);
  };
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(summary.complete);
  BOOST_TEST(sweep.script.delivered == 40);
  BOOST_TEST(summary.gave_up == 0);
}

// Budget spent: the arm is incomplete, and a re-run gets a fresh budget.
BOOST_AUTO_TEST_CASE(a_spent_budget_leaves_the_arm_incomplete) {
  Sweep sweep;
  sweep.options.retries = 1;
  sweep.script.answer = [](const std::string&, int) { return transient(); };
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(!summary.complete);
  BOOST_TEST(summary.gave_up == 20);
  BOOST_TEST(summary.problems.size() == 1u);
  BOOST_TEST(sweep.script.delivered == 40);
  sweep.script.answer = good;
  BOOST_TEST(sweep.run().complete);
}

// D8: a final refusal is missing data; it is accepted once and never retried.
BOOST_AUTO_TEST_CASE(final_outcomes_are_never_retried) {
  Sweep sweep;
  sweep.script.answer = [](const std::string& id, int offer) {
    ResultRow row = good(id, offer);
    row.outcome = Outcome::prompt_truncated;
    return row;
  };
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.delivered == 20);
}

BOOST_AUTO_TEST_CASE(a_dead_backend_costs_no_finished_result_and_one_suspect) {
  for (int at = 0; at < 20; at += 3) {
    Sweep sweep;
    sweep.script.die_at_record = at;
    const ExecuteSummary summary = sweep.run();
    BOOST_TEST(summary.complete);
    BOOST_TEST(sweep.script.reopens == 1);
    BOOST_TEST(sweep.script.delivered == 20);
    BOOST_TEST(sweep.answers().size() == 20u);
  }
}

BOOST_AUTO_TEST_CASE(a_backend_that_cannot_be_restarted_is_a_problem_and_loses_nothing) {
  Sweep sweep;
  sweep.script.die_at_record = 7;
  sweep.script.reopen_limit = 0;
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(!summary.complete);
  BOOST_REQUIRE(summary.problems.size() == 1u);
  BOOST_TEST(summary.problems[0].find("restart limit") != std::string::npos);
  BOOST_TEST(sweep.answers().size() == 7u);
  sweep.script.reopen_limit = 100;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.delivered == 20);
}

// D5: stopping at any record and running again completes both arms, with nothing sent twice that
// had an answer.
BOOST_AUTO_TEST_CASE(stop_anywhere_and_run_again) {
  for (int at = 1; at < 20; at += 4) {
    Sweep sweep;
    sweep.script.stop_after = &*sweep.stop;
    sweep.script.stop_at_record = at;
    const ExecuteSummary stopped = sweep.run();
    BOOST_TEST(stopped.stopped);
    const auto kept = sweep.answers();
    // What was in flight may still come in, up to the very last answer.
    BOOST_TEST(stopped.complete == (kept.size() == 20));
    BOOST_TEST(kept.size() >= static_cast<std::size_t>(at));
    sweep.stop.emplace();
    sweep.script.stop_at_record = -1;
    BOOST_TEST(sweep.run().complete);
    BOOST_TEST(sweep.script.delivered == 20);
    BOOST_TEST(sweep.answers().size() == 20u);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_job_is_a_problem_of_its_engine) {
  Sweep sweep;
  sweep.script.on_submit = [](const JobRequest&) -> Status {
    return Error{Code::unsupported, "top_k cannot be honoured"};
  };
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(!summary.complete);
  BOOST_REQUIRE(summary.problems.size() == 1u);
  BOOST_TEST(summary.problems[0].find("top_k") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lines_per_part_bounds_a_job) {
  Sweep sweep;
  sweep.options.lines_per_part = 4;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST((sweep.script.job_sizes == std::vector<std::size_t>{4, 2, 4, 4, 2, 4}));
}

BOOST_AUTO_TEST_CASE(manifests_say_what_is_complete) {
  Sweep sweep;
  sweep.options.retries = 0;
  sweep.script.answer = [](const std::string& id, int offer) {
    return id.empty() ? good(id, offer) : transient();
  };
  sweep.run();
  const auto before =
      nlohmann::json::parse(trial_manifest_json(sweep.plan, sweep.plan.trials[0], sweep.states));
  BOOST_TEST(before.at("status") == "incomplete");
  sweep.script.answer = good;
  sweep.run();
  const auto after =
      nlohmann::json::parse(trial_manifest_json(sweep.plan, sweep.plan.trials[0], sweep.states));
  BOOST_TEST(after.at("status") == "complete");
  BOOST_TEST(after.at("arms").at(0).at("control").at("outcomes").at("ok") == 10);
  BOOST_TEST(after.at("arms").at(0).at("treatment").at("engine").at("engine") == "scripted");
}

// Decision 15: submit leaves once the service has every job; poll sends nothing new.
BOOST_AUTO_TEST_CASE(submit_and_poll_are_two_steps_for_a_remote_service) {
  Sweep sweep;
  sweep.script.remote = true;
  sweep.options.reach = Reach::poll_only;
  BOOST_TEST(!sweep.run().complete);
  BOOST_TEST(sweep.script.submits == 0);

  sweep.options.reach = Reach::submit_only;
  sweep.options.max_concurrent_jobs = 8;
  BOOST_TEST(!sweep.run().complete);
  BOOST_TEST(sweep.script.submits == 4);
  BOOST_TEST(sweep.script.delivered == 0);
  BOOST_TEST(sweep.script.remote_jobs.size() == 4U);

  sweep.options.reach = Reach::poll_only;
  sweep.script.remote_ready = true;
  sweep.script.answer = [](const std::string& id, int offer) {
    return offer == 0 && id.front() < 'f' ? transient() : good(id, offer);
  };
  const ExecuteSummary polled = sweep.run();
  BOOST_TEST(sweep.script.submits == 8);  // attached to the four, and no other
  BOOST_TEST(polled.complete == (sweep.answers().size() == 20U));

  sweep.options.reach = Reach::all;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.answers().size() == 20U);
}

// A local engine's jobs end with this process, so that submit goes all the way.
BOOST_AUTO_TEST_CASE(submit_is_everything_for_a_local_engine) {
  Sweep sweep;
  sweep.options.reach = Reach::submit_only;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.answers().size() == 20U);
}

BOOST_AUTO_TEST_SUITE_END()
