// SPDX-License-Identifier: Apache-2.0
// Isolation, seen from the outside: with order: blocked, nothing but the arm that runs, the trial
// that holds it, the run's own database and logs may change.
#define BOOST_TEST_MODULE isolation
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>

#include "backend/open.h"
#include "base/digest.h"
#include "base/env.h"
#include "config/load.h"
#include "dataset/dataset.h"
#include "plan/make_plan.h"
#include "run/execute.h"
#include "store/arm_store.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

using Snapshot = std::map<std::string, std::string>;

Snapshot snapshot(const std::filesystem::path& folder) {
  Snapshot out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = std::filesystem::relative(entry.path(), folder).generic_string();
    out[name] = sha256_hex_of_file(entry.path()).value();
  }
  return out;
}

class Watcher final : public Observer {
 public:
  explicit Watcher(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void arm_started(const ArmSpec&) override { before_ = snapshot(folder_); }
  void arm_finished(const ArmSpec& arm) override {
    ++finished;
    const std::string own =
        std::filesystem::path(arm.store_path).parent_path().generic_string() + "/";
    const std::string trial = arm.condition == Condition::treatment
                                  ? arm.store_path.substr(0, arm.store_path.find('/') + 1)
                                  : own;
    Snapshot after = snapshot(folder_);
    int own_changes = 0;
    for (const Snapshot* side : {&before_, &after}) {
      for (const auto& [name, sha256] : *side) {
        const bool changed =
            !before_.contains(name) || !after.contains(name) || before_.at(name) != after.at(name);
        if (!changed) continue;
        own_changes += name.starts_with(own) ? 1 : 0;
        const bool allowed = name.starts_with(own) || name.starts_with(trial) ||
                             name.starts_with("run.sqlite") || name.starts_with("logs/");
        BOOST_TEST(allowed, "arm " << arm.store_path << " changed " << name);
      }
    }
    BOOST_TEST(own_changes > 0);
  }
  int finished = 0;

 private:
  const std::filesystem::path folder_;
  Snapshot before_;
};

struct Sweep {
  TemporaryFolder folder;
  SweepConfig config;
  Selection selection;
  std::optional<PluginInfo> plugin;

  Sweep() {
    std::filesystem::current_path(PROMPTSWEEP_SOURCE_DIR);
    std::ofstream(folder / "c.yaml")
        << "backend: echo\nbackend_options: {n_parallel: 2}\nmodels: [one, two]\ntemps: "
           "[0.0]\nblock_size: 5\n"
           "prompt_sets:\n"
           "  a: {control: config/prompts/demo/control.txt, treatment: "
           "config/prompts/demo/full_treatment.txt}\n"
           "  b: {control: config/prompts/demo/control.txt, treatment: "
           "config/prompts/demo/half_dose.txt}\n"
           "task_instructions: {open_book: config/task_instructions/demo/open_book.txt, "
           "closed_book: config/task_instructions/demo/closed_book.txt}\n"
           "sweep: {prompt_sets: [a, b]}\n";
    config = load_config(folder / "c.yaml", {}).value();
    DatasetSource source;
    source.name = "demo_closed";
    source.path = "config/datasets/demo_closed_book.jsonl";
    SelectionLimits limits;
    limits.limit_items = 20;
    selection = select_items({read_dataset(source).value()}, limits).value();
    Result<PluginInfo> found = find_plugin("echo", {BACKENDS_FOLDER});
    BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().text));
    plugin = *found;
  }

  // Runs with this order under `name`; answers by request id.
  std::map<std::string, std::string> run(const std::string& order, const std::string& name,
                                         Observer& observer) {
    config.order = order;
    PlanInputs inputs;
    inputs.config = &config;
    inputs.selection = &selection.facts;
    inputs.answer_changing_options = [&](const ModelEntry& model) {
      return answer_changing_options(*plugin, model.backend_options_json);
    };
    const RunPlan plan = make_plan(inputs).value().plan;
    BOOST_REQUIRE(plan.arms.size() == 6u);
    std::unique_ptr<RunStore> store = RunStore::open_for_writing(folder / name).value();
    BOOST_REQUIRE(store->write_plan(plan, *selection.items, false));
    BOOST_REQUIRE(build_arms(*store, plan, *selection.items));
    ExecuteOptions options;
    options.open = [&](const EngineSpec& engine, BackendServices services) {
      OpenOptions how;
      how.options_json = engine.options_json;
      return open_backend(*plugin, how, std::move(services));
    };
    StopFlag stop;
    const ExecuteSummary summary =
        execute(*store, plan, *selection.items, options, observer, stop).value();
    BOOST_TEST(summary.complete);
    std::map<std::string, std::string> answers;
    for (const ArmSpec& arm : plan.arms) {
      BOOST_REQUIRE(store->open_arm_read_only(arm).value()->for_each_accepted(
          [&](const ArmStore::AcceptedResult& row) -> Status {
            answers[row.request.request_id] = row.result.text;
            return ok;
          }));
    }
    return answers;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_arm_changes_nothing_but_its_own) {
  Sweep sweep;
  Watcher watcher(sweep.folder / "blocked");
  const auto blocked = sweep.run("blocked", "blocked", watcher);
  BOOST_TEST(watcher.finished == 6);
  BOOST_TEST(blocked.size() == 6u * 20u);
  Observer nobody;
  const auto interleaved = sweep.run("interleaved", "interleaved", nobody);
  BOOST_TEST((blocked == interleaved));
}
