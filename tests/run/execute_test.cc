// SPDX-License-Identifier: Apache-2.0
#include "run/execute.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

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
  std::function<void()> on_destroy;
  bool partial_fetch = true;
  bool concurrent = true;
  bool remote = false;  // and resumes: jobs are kept in `at_provider` beyond the backend's life
  // What a job ends with, once every record is taken; while `all_records_lost` it has none.
  JobState end_state = JobState::succeeded;
  bool all_records_lost = false;
  bool never_ends = false;
  int silent_jobs = 0;  // that many polls tell of a creation without an answer
  std::uint32_t next_poll_ms = 0;
  std::string identity = R"({"engine":"scripted"})";
  int die_at_record = -1;  // the backend is lost when it would deliver this record
  int reopen_limit = 100;
  StopFlag* stop_after = nullptr;
  int stop_at_record = -1;
  // What happened.
  int delivered = 0, submits = 0, reopens = 0;
  std::map<std::string, int> offers;
  std::vector<std::size_t> job_sizes;
  std::map<std::string, int> created;  // remote jobs, how often each was made
  std::set<std::string> at_provider;
  std::vector<std::string> cancelled;
  bool slow_to_cancel = false;  // the provider goes on for now
  bool unheard_cancel = false;  // it ends here, and the provider may go on
  bool tells_checkpoints = false;
  std::optional<Code> job_failure;  // what every job ends with, without records
};

class ScriptedBackend final : public Backend {
 public:
  using Checkpoint = std::function<Status(const std::string& job_id, std::string_view token)>;
  explicit ScriptedBackend(Script& script, Checkpoint checkpoint = {})
      : script_(script), checkpoint_(std::move(checkpoint)) {
    facts_.id = "scripted";
    facts_.partial_fetch = script.partial_fetch;
    facts_.concurrent_jobs = script.concurrent;
    facts_.max_concurrent_jobs = 8;
    facts_.remote = facts_.resumes = script.remote;
  }
  ~ScriptedBackend() override {
    if (script_.on_destroy) script_.on_destroy();
  }
  const BackendFacts& facts() const override { return facts_; }
  Result<std::string> engine_identity() override { return script_.identity; }

  Status submit(const JobRequest& job) override {
    ++script_.submits;
    if (script_.on_submit) {
      if (Status status = script_.on_submit(job); !status) return status;
    }
    if (script_.remote && !script_.at_provider.contains(job.job_id)) {
      if (job.attach_only) return Error{Code::not_found, "no such job"};
      ++script_.created[job.job_id];
      script_.at_provider.insert(job.job_id);
    }
    if (script_.tells_checkpoints) {
      if (Status told = checkpoint_(job.job_id, "at the provider"); !told) return told;
    }
    std::ifstream in(job.requests_path);
    for (std::string line; std::getline(in, line);) {
      waiting_[job.job_id].push_back(nlohmann::json::parse(line).at("request_id"));
    }
    // Not Boost's macros: their log belongs to one thread, and each engine has its own.
    if (waiting_[job.job_id].size() != job.request_count) {
      return Error{Code::data, "request_count does not match the file"};
    }
    script_.job_sizes.push_back(job.request_count);
    return ok;
  }
  Result<JobStatus> poll(const std::string& job_id) override {
    if (lost_) return Error{Code::unavailable, "lost"};
    JobStatus status;
    status.next_poll_ms = script_.next_poll_ms;
    if (script_.silent_jobs > 0 && taken_[job_id] == 0) {
      --script_.silent_jobs;
      status.state = JobState::failed;
      status.failure = Error{Code::timeout, "no answer"};
      silent_.insert(job_id);
      return status;
    }
    silent_.erase(job_id);
    const bool is_over = waiting_[job_id].empty() || script_.all_records_lost;
    status.state = is_over && !script_.never_ends ? script_.end_state : JobState::running;
    if (cancelled_.contains(job_id)) {
      status.state = JobState::cancelled;
      status.remote_may_continue = script_.unheard_cancel;
    } else if (script_.job_failure) {
      status.state = JobState::failed;
      status.failure = Error{*script_.job_failure, "the key is refused"};
    }
    return status;
  }
  Result<FetchResult> fetch(const std::string& job_id, std::uint64_t, std::uint32_t,
                            const ResultSink& sink) override {
    if (lost_) return Error{Code::unavailable, "lost"};
    FetchResult result;
    auto& ids = waiting_[job_id];
    if (stuck_ || silent_.contains(job_id) || cancelled_.contains(job_id) || script_.never_ends ||
        script_.all_records_lost || script_.job_failure) {
      return result;
    }
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
    if (!script_.slow_to_cancel) cancelled_.insert(job_id);
    stuck_ = script_.slow_to_cancel;
    script_.cancelled.push_back(job_id);
    return ok;
  }
  Status close(const std::string& job_id) override {
    waiting_.erase(job_id);
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
  std::uint64_t index_of_first_waiting(const std::string& job_id) {
    return static_cast<std::uint64_t>(taken_[job_id]);
  }

  Script& script_;
  Checkpoint checkpoint_;
  BackendFacts facts_;
  std::map<std::string, std::vector<std::string>> waiting_;
  std::map<std::string, int> taken_;
  std::set<std::string> cancelled_, silent_;
  std::vector<Begun> begun_;
  bool lost_ = false, stuck_ = false;
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
    options.open = [this](const EngineSpec&,
                          BackendServices services) -> Result<std::unique_ptr<Backend>> {
      return std::unique_ptr<Backend>(new ScriptedBackend(script, services.checkpoint));
    };
  }

  ExecuteSummary run() {
    Result<std::unique_ptr<RunStore>> store = RunStore::open_for_writing(folder / "run_x");
    BOOST_REQUIRE(store);
    Status planned = (*store)->write_plan(plan, ItemList(items), false);
    BOOST_REQUIRE_MESSAGE(planned, (planned ? "" : planned.error().text));
    Status built = build_arms(**store, plan, ItemList(items));
    BOOST_REQUIRE_MESSAGE(built, (built ? "" : built.error().text));
    const ItemList source(items);
    Result<ExecuteSummary> summary = execute(**store, plan, source, options, observer, *stop);
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
  BOOST_REQUIRE(summary.problems.size() == 1u);
  BOOST_TEST(
      summary.problems[0] ==
      "model: 20 requests got no answer within the retry budget; the last of them: try again");
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
  BOOST_TEST(sweep.script.submits == 1);  // D28: what is refused for good is not sent again
}

BOOST_AUTO_TEST_CASE(lines_per_part_bounds_a_job) {
  Sweep sweep;
  sweep.options.lines_per_part = 4;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST((sweep.script.job_sizes == std::vector<std::size_t>{4, 2, 4, 4, 2, 4}));
}

// Decision 19: two engines that fit in memory overlap in time, two that do not never do.
BOOST_AUTO_TEST_CASE(engines_run_together_exactly_when_their_memory_fits) {
  for (const bool fit : {true, false}) {
    Sweep sweep;
    sweep.plan.engines.push_back({"engine2", "scripted", "model2", "{}", "auto"});
    ArmSpec other = sweep.plan.arms[1];
    other.arm_id = "other";
    other.engine_id = "engine2";
    other.store_path = "arms/other/arm.sqlite";
    sweep.plan.arms.push_back(other);
    sweep.plan.blocks.push_back({"other", TaskType::closed_book, 0, 6});
    sweep.plan.blocks.push_back({"other", TaskType::open_book, 0, 4});
    sweep.options.budget.ram_bytes = fit ? 100 : 99;
    sweep.options.need = [](const EngineSpec&) { return EngineNeed{50, 0, 0}; };
    Script second = sweep.script;
    std::atomic<int> alive{0}, most{0}, opened{0};
    struct Counted final : Backend {
      Counted(std::unique_ptr<Backend> inner, std::atomic<int>& alive, std::atomic<int>& most)
          : inner_(std::move(inner)), alive_(alive) {
        most = std::max<int>(most, ++alive_);
      }
      ~Counted() override { --alive_; }
      const BackendFacts& facts() const override { return inner_->facts(); }
      Result<std::string> engine_identity() override { return inner_->engine_identity(); }
      Status submit(const JobRequest& job) override {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return inner_->submit(job);
      }
      Result<JobStatus> poll(const std::string& id) override { return inner_->poll(id); }
      Result<FetchResult> fetch(const std::string& id, std::uint64_t most, std::uint32_t budget,
                                const ResultSink& sink) override {
        return inner_->fetch(id, most, budget, sink);
      }
      Status cancel(const std::string& id) override { return inner_->cancel(id); }
      Status close(const std::string& id) override { return inner_->close(id); }
      std::unique_ptr<Backend> inner_;
      std::atomic<int>& alive_;
    };
    sweep.options.open = [&](const EngineSpec& engine,
                             BackendServices) -> Result<std::unique_ptr<Backend>> {
      ++opened;
      Script& script = engine.engine_id == "engine" ? sweep.script : second;
      return std::unique_ptr<Backend>(
          new Counted(std::make_unique<ScriptedBackend>(script), alive, most));
    };
    BOOST_TEST(sweep.run().complete);
    BOOST_TEST(opened == 2);  // each model is loaded once
    BOOST_TEST(most == (fit ? 2 : 1));
  }
}

// The core lowers what the plugin offers and nothing else, and remembers it for the next run.
BOOST_AUTO_TEST_CASE(short_of_memory_the_engine_is_tried_with_less_of_it) {
  Sweep sweep;
  std::vector<std::string> tried;
  sweep.options.open = [&](const EngineSpec& engine,
                           BackendServices) -> Result<std::unique_ptr<Backend>> {
    tried.push_back(engine.options_json);
    if (engine.options_json != "[1]") return Error{Code::resource, "no memory"};
    return std::unique_ptr<Backend>(new ScriptedBackend(sweep.script));
  };
  sweep.options.lower_memory = [](const EngineSpec& engine) -> std::optional<std::string> {
    if (engine.options_json == "{}") return "[2]";
    if (engine.options_json == "[2]") return "[1]";
    return std::nullopt;
  };
  sweep.options.numerics = [](const EngineSpec& engine) { return engine.options_json; };
  sweep.options.retries = 0;
  bool failed = false;
  sweep.script.answer = [&](const std::string& id, int offer) {
    if (std::exchange(failed, true)) return good(id, offer);
    return transient();
  };
  BOOST_TEST(!sweep.run().complete);
  BOOST_TEST((tried == std::vector<std::string>{"{}", "[2]", "[1]"}),
             boost::test_tools::per_element());
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(tried.size() == 4u);
  BOOST_TEST(tried.back() == "[1]");
}

BOOST_AUTO_TEST_CASE(a_job_that_runs_out_of_memory_costs_no_retry) {
  Sweep sweep;
  sweep.options.retries = 0;
  int refused = 0;
  sweep.script.on_submit = [&](const JobRequest&) -> Status {
    return sweep.script.submits == 3 && ++refused > 0 ? Status(Error{Code::resource, "no memory"})
                                                      : Status(ok);
  };
  sweep.options.lower_memory = [](const EngineSpec&) -> std::optional<std::string> {
    return "[1]";
  };
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(refused == 1);
  BOOST_TEST(sweep.script.delivered == 20);
}

BOOST_AUTO_TEST_CASE(memory_that_stays_short_is_a_problem_and_not_a_loop) {
  Sweep sweep;
  sweep.script.on_submit = [](const JobRequest&) -> Status {
    return Error{Code::resource, "no memory"};
  };
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(!summary.complete);
  BOOST_REQUIRE(summary.problems.size() == 1u);
  BOOST_TEST(summary.problems[0].find("no memory") != std::string::npos);
  sweep.script.on_submit = nullptr;
  BOOST_TEST(sweep.run().complete);
}

BOOST_AUTO_TEST_CASE(another_engine_is_refused_unless_accepted) {
  Sweep sweep;
  sweep.script.stop_after = &*sweep.stop;
  sweep.script.stop_at_record = 8;
  sweep.run();
  sweep.stop.emplace();
  sweep.script.stop_at_record = -1;
  const auto before = sweep.answers();
  sweep.script.identity = R"({"engine":"other"})";
  const ExecuteSummary refused = sweep.run();
  BOOST_TEST(!refused.complete);
  BOOST_REQUIRE(refused.problems.size() == 1u);
  for (const char* word :
       {R"({"engine":"scripted"})", R"({"engine":"other"})", "--accept_engine_change"})
    BOOST_TEST(refused.problems[0].find(word) != std::string::npos);
  BOOST_TEST((sweep.answers() == before));

  sweep.script.delivered = 0;
  sweep.options.accept_engine_change = true;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.delivered == 20);  // no answer of the former engine stays
  BOOST_TEST(std::filesystem::exists(sweep.folder / "run_x/arms/control/arm.before-1.sqlite"));
}

// A trial that the narrower command does not ask for must not keep half a pair of the old engine.
BOOST_AUTO_TEST_CASE(an_accepted_engine_leaves_no_answer_of_the_former_in_any_trial) {
  Sweep sweep;
  BOOST_TEST(sweep.run().complete);
  sweep.plan.arms.erase(sweep.plan.arms.begin());  // another arm needs answers
  ArmSpec more = sweep.plan.arms[0];
  more.arm_id = "more";
  more.store_path = "arms/more/arm.sqlite";
  sweep.plan.arms = {more};
  sweep.plan.blocks = {{"more", TaskType::closed_book, 0, 6}, {"more", TaskType::open_book, 0, 4}};
  sweep.plan.trials[0].slug = "trial2";
  sweep.plan.trials[0].pairs = {{0, "", "more"}};
  sweep.script.stop_after = &*sweep.stop;
  sweep.script.stop_at_record = sweep.script.delivered + 2;
  sweep.run();
  sweep.stop.emplace();
  sweep.script.stop_at_record = -1;
  sweep.script.identity = R"({"engine":"other"})";
  sweep.options.accept_engine_change = true;
  BOOST_TEST(sweep.run().complete);
  Result<std::unique_ptr<RunStore>> store = RunStore::open_read_only(sweep.folder / "run_x");
  BOOST_REQUIRE(store);
  const RunPlan recorded = (*store)->plan().value();
  for (const ArmSpec& arm : recorded.arms) {
    Result<std::unique_ptr<ArmStore>> arm_store = (*store)->open_arm_read_only(arm);
    BOOST_REQUIRE(arm_store);
    BOOST_TEST((*arm_store)->engine_identity().value() != std::string(R"({"engine":"scripted"})"),
               arm.arm_id);
    BOOST_TEST((*arm_store)->progress().value().accepted == (arm.arm_id == "more" ? 10 : 0));
  }
}

BOOST_AUTO_TEST_CASE(the_budget_of_a_run_bounds_all_retries_together) {
  Sweep sweep;
  sweep.options.retries = 100;
  sweep.options.retry_budget = 7;
  sweep.script.answer = [](const std::string&, int) { return transient(); };
  const ExecuteSummary summary = sweep.run();
  BOOST_TEST(!summary.complete);
  BOOST_TEST(summary.retried == 7);
  BOOST_TEST(sweep.script.delivered == 27);
}

// D21, D28: a job at a provider outlives the process, is attached to and is paid once.
BOOST_AUTO_TEST_CASE(a_stop_leaves_remote_jobs_and_the_next_run_attaches) {
  Sweep sweep;
  sweep.script.remote = true;
  sweep.script.stop_after = &*sweep.stop;
  sweep.script.stop_at_record = 3;
  const ExecuteSummary stopped = sweep.run();
  BOOST_TEST(stopped.stopped);
  BOOST_TEST(stopped.left_running > 0);
  BOOST_TEST(sweep.script.cancelled.empty());
  sweep.stop.emplace();
  sweep.script.stop_at_record = -1;
  BOOST_TEST(sweep.run().complete);
  for (const auto& [job, times] : sweep.script.created) BOOST_TEST(times == 1, job);
  BOOST_TEST(sweep.script.created.size() == 4u);
  BOOST_TEST(sweep.answers().size() == 20u);
}

BOOST_AUTO_TEST_CASE(only_submit_leaves_every_job_and_only_poll_makes_none) {
  Sweep sweep;
  sweep.script.remote = sweep.script.tells_checkpoints = true;
  sweep.options.reach = Reach::poll_only;
  BOOST_TEST(!sweep.run().complete);
  BOOST_TEST(sweep.script.created.empty());
  sweep.options.reach = Reach::submit_only;
  const ExecuteSummary submitted = sweep.run();
  BOOST_TEST(!submitted.complete);
  BOOST_TEST(submitted.problems.empty());
  BOOST_TEST(sweep.script.created.size() == 4u);
  sweep.options.reach = Reach::poll_only;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 4u);
  BOOST_TEST(sweep.script.delivered == 20);
}

// A backend takes a job at once; whoever leaves then leaves before the job exists.
BOOST_AUTO_TEST_CASE(only_submit_waits_until_every_job_is_at_the_provider) {
  Sweep sweep;
  sweep.script.remote = sweep.script.never_ends = true;
  std::vector<std::thread> creations;
  std::atomic<int> made{0};
  sweep.options.open = [&](const EngineSpec&,
                           BackendServices services) -> Result<std::unique_ptr<Backend>> {
    sweep.script.on_submit = [&,
                              checkpoint = services.checkpoint](const JobRequest& job) -> Status {
      creations.emplace_back([&, checkpoint, id = job.job_id] {
        std::this_thread::sleep_for(std::chrono::milliseconds(80));
        made += bool(checkpoint(id, "made")) ? 1 : 0;
      });
      return ok;
    };
    return std::unique_ptr<Backend>(new ScriptedBackend(sweep.script));
  };
  sweep.script.on_destroy = [&] {
    BOOST_TEST(made == 4);
    for (std::thread& creation : creations) creation.join();
  };
  sweep.options.reach = Reach::submit_only;
  BOOST_TEST(sweep.run().left_running == 20);
}

// The provider did not confirm that it stops: the jobs stay in the ledger and are met again.
BOOST_AUTO_TEST_CASE(a_cancelled_job_that_may_go_on_is_not_paid_twice) {
  Sweep sweep;
  sweep.script.remote = sweep.script.tells_checkpoints = true;
  sweep.options.reach = Reach::submit_only;
  sweep.run();
  sweep.options.reach = Reach::cancel_only;
  sweep.script.unheard_cancel = true;
  BOOST_TEST(sweep.run().left_running == 20);
  sweep.options.reach = Reach::all;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 4u);
}

// A refused key: the job's requests stay open, and no further job is sent into the same wall.
BOOST_AUTO_TEST_CASE(what_needs_a_person_stops_the_engine) {
  for (const Code code : {Code::invalid_input, Code::not_found, Code::state}) {
    Sweep sweep;
    sweep.options.max_concurrent_jobs = 1;
    sweep.script.job_failure = code;
    const ExecuteSummary summary = sweep.run();
    BOOST_TEST(!summary.complete);
    BOOST_TEST(sweep.script.submits == 1);
    BOOST_REQUIRE(summary.problems.size() == 1u);
    BOOST_TEST(summary.problems[0] == "model: the key is refused");
    sweep.script.job_failure.reset();
    BOOST_TEST(sweep.run().complete);
  }
}

BOOST_AUTO_TEST_CASE(remote_jobs_are_cancelled_on_request_only) {
  Sweep sweep;
  sweep.script.remote = sweep.script.tells_checkpoints = true;
  sweep.options.reach = Reach::submit_only;
  sweep.run();
  sweep.options.reach = Reach::cancel_only;
  sweep.run();
  BOOST_TEST(sweep.script.cancelled.size() == 4u);
  // Their requests are offered again under other jobs.
  sweep.options.reach = Reach::all;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 8u);
}

// Until a cancelled job is seen to have ended it may answer and is paid: its requests stay in it.
BOOST_AUTO_TEST_CASE(a_job_that_is_slow_to_cancel_is_not_offered_again) {
  Sweep sweep;
  sweep.script.remote = sweep.script.tells_checkpoints = true;
  sweep.options.reach = Reach::submit_only;
  sweep.run();
  sweep.options.reach = Reach::cancel_only;
  sweep.script.slow_to_cancel = true;
  const ExecuteSummary cancelled = sweep.run();
  BOOST_TEST(sweep.script.cancelled.size() == 4u);
  BOOST_TEST(cancelled.left_running == 20);
  sweep.options.reach = Reach::all;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 4u);
  for (const auto& [id, offers] : sweep.script.offers) BOOST_TEST(offers == 1, id);
}

// An edit replaced their trials: no block of today's plan names the arms.
BOOST_AUTO_TEST_CASE(jobs_of_arms_outside_the_plan_are_cancelled_too) {
  Sweep sweep;
  sweep.script.remote = sweep.script.tells_checkpoints = true;
  sweep.options.reach = Reach::submit_only;
  sweep.run();
  sweep.plan.blocks.clear();
  sweep.script.identity = R"({"engine":"another"})";  // nothing is asked of it
  sweep.options.reach = Reach::cancel_only;
  sweep.run();
  BOOST_TEST(sweep.script.cancelled.size() == 4u);
}

// A provider takes the same id for the same job: two runs of one plan are two jobs.
BOOST_AUTO_TEST_CASE(runs_of_the_same_arms_have_jobs_of_their_own) {
  Sweep first, second;
  first.script.remote = second.script.remote = true;
  BOOST_TEST(first.run().complete);
  second.script.at_provider = first.script.at_provider;
  BOOST_TEST(second.run().complete);
  BOOST_TEST(second.script.created.size() == 4u);
}

// The provider made the job and its answer got lost: that is no refusal. And once the job answered,
// it is known to have been there: gone later, it is not made again with what it answered.
BOOST_AUTO_TEST_CASE(an_unclear_submission_is_looked_up_and_never_sent_twice) {
  Sweep sweep;
  sweep.script.remote = true;
  sweep.options.max_concurrent_jobs = 1;
  std::string unclear;
  sweep.script.on_submit = [&](const JobRequest& job) -> Status {
    unclear = job.job_id;
    sweep.script.at_provider.insert(unclear);
    return Error{Code::unavailable, "the connection was cut"};
  };
  BOOST_TEST(!sweep.run().complete);
  sweep.script.on_submit = nullptr;
  sweep.script.stop_after = &*sweep.stop;
  sweep.script.stop_at_record = 1;
  BOOST_TEST(sweep.run().stopped);
  BOOST_TEST(sweep.script.created.empty());
  sweep.stop.emplace();
  sweep.script.stop_at_record = -1;
  sweep.script.at_provider.erase(unclear);
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(!sweep.script.created.contains(unclear));
  BOOST_TEST(sweep.script.delivered == 20);
}

// The intent was on disk, the request never left, or its answer never came: the same key is used.
BOOST_AUTO_TEST_CASE(an_intended_job_is_looked_up_and_then_made_under_the_same_key) {
  for (const bool reached_the_provider : {false, true}) {
    Sweep sweep;
    sweep.script.remote = true;
    {
      Result<std::unique_ptr<RunStore>> store = RunStore::open_for_writing(sweep.folder / "run_x");
      BOOST_REQUIRE(store);
      BOOST_REQUIRE((*store)->write_plan(sweep.plan, ItemList(sweep.items), false));
      BOOST_REQUIRE(build_arms(**store, sweep.plan, ItemList(sweep.items)));
      Result<std::unique_ptr<ArmStore>> arm = (*store)->open_arm(sweep.plan.arms[0]);
      BOOST_REQUIRE(arm);
      const std::vector<RequestRow> rows = (*arm)->requests_at({0, 1, 2}).value();
      JobRow job;
      job.job_id = "thejob";
      job.state = "intended";
      job.requests_file = "jobs/thejob.jsonl";
      job.request_count = 3;
      const auto file = write_request_file(sweep.folder / "x.jsonl", sweep.plan.arms[0], "model",
                                           ItemList(sweep.items), rows);
      job.requests_sha256 = file.value().sha256;
      BOOST_REQUIRE((*arm)->record_job_intent(
          job, {rows[0].request_id, rows[1].request_id, rows[2].request_id}));
    }
    if (reached_the_provider) sweep.script.at_provider.insert("thejob");
    BOOST_TEST(sweep.run().complete);
    BOOST_TEST(sweep.script.created["thejob"] == (reached_the_provider ? 0 : 1));
    BOOST_TEST(sweep.script.delivered == 20);
  }
}

// D27: a refused row ends its job for nobody else, and what a job had answered before it expired
// stays; only the rest is asked again.
BOOST_AUTO_TEST_CASE(d27_a_job_that_expires_keeps_what_it_has_answered) {
  for (const JobState end : {JobState::expired, JobState::cancelled, JobState::failed}) {
    Sweep sweep;
    sweep.script.remote = true;
    sweep.script.end_state = end;
    int numbers = 0, expired = 0;
    sweep.script.answer = [&](const std::string& id, int offer) {
      ResultRow row = good(id, offer);
      const int number = numbers++;
      if (offer == 0 && number % 5 == 0) row.outcome = Outcome::error_request;
      if (offer == 0 && number % 5 == 4) {
        row.outcome = Outcome::expired;
        ++expired;
      }
      return row;
    };
    BOOST_TEST(sweep.run().complete);
    BOOST_TEST(expired >= 3);
    BOOST_TEST(sweep.script.delivered == 20 + expired);
    BOOST_TEST(sweep.answers().size() == 20u);
    for (const auto& [job, times] : sweep.script.created) BOOST_TEST(times == 1, job);
  }
}

// D29: a job that its provider ends without a single record is over, whatever the provider calls
// it. Its requests are offered again a bounded number of times, and the run ends.
BOOST_AUTO_TEST_CASE(d29_a_provider_that_ends_every_job_ends_the_run) {
  for (const JobState end : {JobState::cancelled, JobState::expired, JobState::failed}) {
    Sweep sweep;
    sweep.script.remote = true;
    sweep.script.end_state = end;
    sweep.script.all_records_lost = true;
    sweep.options.retries = 2;
    const ExecuteSummary summary = sweep.run();
    BOOST_TEST(!summary.complete);
    BOOST_TEST(summary.gave_up == 20);
    BOOST_TEST(summary.left_running == 0);
    BOOST_TEST(sweep.script.created.size() == 4u * 3u);  // other jobs, not the same again
    sweep.script.all_records_lost = false;
    sweep.script.end_state = JobState::succeeded;
    BOOST_TEST(sweep.run().complete);
    BOOST_TEST(sweep.script.created.size() == 4u * 4u);
  }
}

// D29: however long a provider takes, and however rarely it wants to be asked, a stop is heard at
// once; the jobs stay and are attached to.
BOOST_AUTO_TEST_CASE(d29_a_stop_is_heard_while_a_provider_does_nothing) {
  Sweep sweep;
  sweep.script.remote = true;
  sweep.script.never_ends = true;
  sweep.script.next_poll_ms = 3'600'000;
  std::thread person;
  std::chrono::steady_clock::time_point asked;
  sweep.script.on_submit = [&](const JobRequest&) -> Status {
    if (sweep.script.submits != 4) return ok;
    person = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      asked = std::chrono::steady_clock::now();
      sweep.stop->request();
    });
    return ok;
  };
  const ExecuteSummary stopped = sweep.run();
  person.join();
  const auto took = std::chrono::steady_clock::now() - asked;
  sweep.script.on_submit = nullptr;
  BOOST_TEST((took < std::chrono::seconds(4)));
  BOOST_TEST(stopped.stopped);
  BOOST_TEST(stopped.left_running == 20);
  BOOST_TEST(sweep.script.cancelled.empty());
  sweep.stop.emplace();
  sweep.script.never_ends = false;
  sweep.script.next_poll_ms = 0;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 4u);
}

// Decision 12: whose creation got no answer may exist; it is looked up and never made twice
// blindly.
BOOST_AUTO_TEST_CASE(a_creation_without_an_answer_is_looked_up_under_its_key) {
  Sweep sweep;
  sweep.script.remote = true;
  sweep.script.silent_jobs = 2;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(sweep.script.created.size() == 4u);
  for (const auto& [job, times] : sweep.script.created) BOOST_TEST(times == 1, job);
  BOOST_TEST(sweep.script.delivered == 20);

  Sweep silent;
  silent.script.remote = true;
  silent.script.silent_jobs = 1000;
  const ExecuteSummary gave_up = silent.run();
  BOOST_TEST(!gave_up.complete);
  BOOST_TEST(gave_up.gave_up == 20);
  silent.script.silent_jobs = 0;
  BOOST_TEST(silent.run().complete);
  for (const auto& [job, times] : silent.script.created) BOOST_TEST(times == 1, job);
}

// D17, D21: what is equal to the job of another run, or of another engine, is not that job.
BOOST_AUTO_TEST_CASE(no_run_attaches_to_jobs_of_another_run_or_engine) {
  Sweep first;
  first.script.remote = true;
  BOOST_TEST(first.run().complete);
  Sweep second;
  second.script.remote = true;
  second.script.at_provider = first.script.at_provider;
  BOOST_TEST(second.run().complete);
  BOOST_TEST(second.script.created.size() == 4u);

  Sweep replaced;
  replaced.script.remote = true;
  replaced.script.stop_after = &*replaced.stop;
  replaced.script.stop_at_record = 3;
  replaced.run();
  const int former = replaced.script.delivered;
  replaced.stop.emplace();
  replaced.script.stop_at_record = -1;
  replaced.script.identity = R"({"engine":"other"})";
  replaced.options.accept_engine_change = true;
  // The ledger of jobs that still run is not put aside.
  const ExecuteSummary refused = replaced.run();
  BOOST_REQUIRE(refused.problems.size() == 1u);
  BOOST_TEST(refused.problems[0].find("--cancel_remote") != std::string::npos);
  replaced.options.reach = Reach::cancel_only;
  replaced.run();
  replaced.options.reach = Reach::all;
  BOOST_TEST(replaced.run().complete);
  BOOST_TEST(replaced.script.created.size() == 8u);
  BOOST_TEST(replaced.script.delivered == former + 20);
}

// A backend tells checkpoints on a thread of its own, while jobs come and go and arms are closed.
BOOST_AUTO_TEST_CASE(checkpoints_may_come_at_any_time_on_another_thread) {
  Sweep sweep;
  std::vector<std::thread> tellers;
  std::atomic<int> stored{0};
  std::atomic<bool> ended{false};
  sweep.options.open = [&](const EngineSpec&,
                           BackendServices services) -> Result<std::unique_ptr<Backend>> {
    sweep.script.on_submit = [&,
                              checkpoint = services.checkpoint](const JobRequest& job) -> Status {
      // While submit still runs.
      if (Status early = checkpoint(job.job_id, "early"); !early) return early;
      tellers.emplace_back([&, checkpoint, id = job.job_id] {
        while (!ended) stored += bool(checkpoint(id, "later")) ? 1 : 0;
      });
      return ok;
    };
    return std::unique_ptr<Backend>(new ScriptedBackend(sweep.script));
  };
  sweep.script.on_destroy = [&] {  // no thread of a backend outlives it
    ended = true;
    for (std::thread& teller : tellers) teller.join();
  };
  sweep.options.lines_per_part = 2;
  BOOST_TEST(sweep.run().complete);
  BOOST_TEST(tellers.size() == 10u);
  BOOST_TEST(sweep.answers().size() == 20u);
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

BOOST_AUTO_TEST_SUITE_END()
