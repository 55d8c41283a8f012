// SPDX-License-Identifier: Apache-2.0
#include "run/execute.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <list>
#include <mutex>
#include <thread>

#include "prompt/render.h"
#include "run/engine_run.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

// Several engines speak to one observer.
class SerialObserver final : public Observer {
 public:
  explicit SerialObserver(Observer& inner) : inner_(inner) {}

  void message(Severity severity, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    inner_.message(severity, text);
  }
  void engine_opening(const EngineSpec& engine, std::uint64_t done, std::uint64_t total,
                      std::string_view stage) override {
    const std::lock_guard lock(mutex_);
    inner_.engine_opening(engine, done, total, stage);
  }
  void engine_ready(const EngineSpec& engine, std::string_view identity_json) override {
    const std::lock_guard lock(mutex_);
    inner_.engine_ready(engine, identity_json);
  }
  void engine_progress(const EngineSpec& engine, const EngineProgress& progress) override {
    const std::lock_guard lock(mutex_);
    inner_.engine_progress(engine, progress);
  }
  void engine_finished(const EngineSpec& engine, const EngineProgress& progress) override {
    const std::lock_guard lock(mutex_);
    inner_.engine_finished(engine, progress);
  }
  void arm_started(const ArmSpec& arm) override {
    const std::lock_guard lock(mutex_);
    inner_.arm_started(arm);
  }
  void arm_finished(const ArmSpec& arm) override {
    const std::lock_guard lock(mutex_);
    inner_.arm_finished(arm);
  }
  void phase_started(std::string_view phase, std::string_view subject) override {
    const std::lock_guard lock(mutex_);
    inner_.phase_started(phase, subject);
  }
  void phase_skipped(std::string_view phase, std::string_view subject) override {
    const std::lock_guard lock(mutex_);
    inner_.phase_skipped(phase, subject);
  }

 private:
  Observer& inner_;
  std::mutex mutex_;
};

// Starts the engines in plan order as far as they fit beside those that are loaded; the trials of
// one model share its engine, so that a model is loaded once.
class Schedule {
 public:
  Schedule(const EngineBudget& budget, const StopFlag& stop) : budget_(budget), stop_(stop) {}

  void add(std::unique_ptr<EngineRun> engine) {
    engines_.push_back({std::move(engine), std::nullopt, State::waiting, ok, {}});
    Entry& entry = engines_.back();
    // An estimate that was too low counts for what was measured from then on.
    entry.run->on_loaded([this, &entry](std::uint64_t ram_bytes) {
      const std::lock_guard lock(mutex_);
      if (entry.need) entry.need->ram_bytes = std::max(entry.need->ram_bytes, ram_bytes);
    });
  }

  void run() {
    // Alone an engine is tried whatever it needs; only beside others somebody must tell.
    if (engines_.size() > 1) {
      for (Entry& entry : engines_) entry.need = entry.run->need();
    }
    std::unique_lock lock(mutex_);
    while (true) {
      if (!stop_.requested()) start_what_fits();
      if (loaded().empty()) break;
      ended_.wait(lock);
      for (Entry& entry : engines_) {
        if (entry.state != State::ended || !entry.thread.joinable()) continue;
        entry.thread.join();
      }
    }
  }

  std::size_t size() const { return engines_.size(); }
  // After run(): calls visit(engine, status) for each engine that was started.
  template <class Visit>
  void for_each_started(Visit visit) {
    for (Entry& entry : engines_) {
      if (entry.state == State::ended) visit(*entry.run, entry.status);
    }
  }

 private:
  enum class State { waiting, loaded, ended };
  struct Entry {
    std::unique_ptr<EngineRun> run;
    std::optional<EngineNeed> need;
    State state = State::waiting;
    Status status = ok;
    std::thread thread;
  };

  std::vector<std::optional<EngineNeed>> loaded() const {
    std::vector<std::optional<EngineNeed>> out;
    for (const Entry& entry : engines_) {
      if (entry.state == State::loaded) out.push_back(entry.need);
    }
    return out;
  }

  void start_what_fits() {
    for (Entry& entry : engines_) {
      if (entry.state != State::waiting || !fits(entry.need, loaded(), budget_)) continue;
      entry.state = State::loaded;
      entry.thread = std::thread([this, &entry] {
        Status status = entry.run->execute();
        const std::lock_guard lock(mutex_);
        entry.status = std::move(status);
        entry.state = State::ended;
        ended_.notify_one();
      });
    }
  }

  const EngineBudget& budget_;
  const StopFlag& stop_;
  std::mutex mutex_;  // guards state and status of the entries
  std::condition_variable ended_;
  std::list<Entry> engines_;
};

}  // namespace

Status build_arm(RunStore& run, const ArmSpec& arm, const EngineSpec& engine,
                 const ItemSource& items) {
  Result<std::unique_ptr<ArmStore>> store = run.open_arm(arm);
  if (!store) return std::move(store).error();
  Status made = (*store)->initialise(arm, [&](const ArmStore::TakeRequest& take) {
    return for_each_request_row(arm, engine.model, items, take);
  });
  if (!made) return std::move(made).error().in("arm " + arm.arm_id);
  return ok;
}

Status build_arms(RunStore& run, const RunPlan& plan, const ItemSource& items) {
  for (const ArmSpec& arm : plan.arms) {
    const EngineSpec* engine = find_engine(plan, arm.engine_id);
    if (engine == nullptr)
      return Error{Code::data, "arm " + arm.arm_id + " names an unknown engine"};
    if (Status built = build_arm(run, arm, *engine, items); !built) return built;
  }
  return ok;
}

Result<ExecuteSummary> execute(RunStore& run, const RunPlan& plan, const ItemSource& items,
                               const ExecuteOptions& options, Observer& observer,
                               const StopFlag& stop) {
  SerialObserver serial(observer);
  RetryBudget retries{options.retry_budget.value_or(std::numeric_limits<std::int64_t>::max())};
  EngineBudget budget = options.budget;
  if (plan.order == "blocked") budget.engines = 1;  // one arm after the other, of all models
  Schedule schedule(budget, stop);
  ExecuteSummary summary;
  summary.complete = true;
  int idle_incomplete = 0;  // there is nothing to do for them in this invocation
  for (const EngineSpec& spec : plan.engines) {
    auto engine =
        std::make_unique<EngineRun>(run, plan, spec, items, options, retries, serial, stop);
    Result<bool> pending = engine->load();
    if (!pending) return std::move(pending).error();
    if (!engine->complete()) summary.complete = false;  // until its engine has run
    if (!*pending) {
      idle_incomplete += engine->complete() ? 0 : 1;
      continue;
    }
    schedule.add(std::move(engine));
  }
  if (summary.complete) return summary;
  schedule.run();

  std::size_t complete = 0;
  schedule.for_each_started([&](const EngineRun& engine, const Status& status) {
    const std::string& model = engine.engine().model;
    if (!status) summary.problems.push_back(model + ": " + status.error().text);
    summary.engines.push_back({engine.engine().engine_id, model, engine.progress().accepted_now,
                               engine.progress().seconds, engine.progress().retried_now});
    summary.gave_up += engine.gave_up();
    summary.retried += engine.progress().retried_now;
    summary.reused += engine.reused();
    summary.left_running += engine.left_running();
    if (engine.gave_up() > 0) {
      summary.problems.push_back(
          model + ": " + std::to_string(engine.gave_up()) +
          " requests got no answer within the retry budget" +
          (engine.last_failure().empty() ? "" : "; the last of them: " + engine.last_failure()));
    }
    if (engine.complete()) ++complete;
  });
  summary.complete = complete == schedule.size() && idle_incomplete == 0;
  summary.stopped = stop.requested();
  return summary;
}

}  // namespace promptsweep
