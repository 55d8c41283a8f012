// SPDX-License-Identifier: Apache-2.0
#include "cli/results.h"

#include <utility>

#include "cli/result_files.h"
#include "cli/result_settings.h"
#include "run/score_pass.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

class RecordedResults final : public ResultStages {
 public:
  explicit RecordedResults(const ResultInputs& inputs)
      : in_(inputs),
        settings_(result_settings(inputs.config, inputs.plan, inputs.plugins)),
        files_(in_.run, in_.plan, settings_) {}

  Status ready(const std::string& stage) override {
    if (stage == "parse" || stage == "score") {
      Result<bool> answered = anything_answered();
      if (!answered) return std::move(answered).error();
      if (*answered) return ok;
      return Error{Code::state, "the phase " + stage +
                                    " has nothing to work on: no request of this run has been "
                                    "answered yet (the phases submit and poll do that)"};
    }
    Result<bool> scored = arms_are_scored(in_.run, in_.plan, settings_.rules);
    if (!scored) return std::move(scored).error();
    if (*scored) return ok;
    return Error{Code::state, "the phase " + stage +
                                  " needs scores of today's answers by today's rules (the phase "
                                  "score makes them)"};
  }

  Result<std::vector<Phase>> phases(const std::string& stage, bool again) override {
    if (Status recorded = record_settings(); !recorded) return std::move(recorded).error();
    std::vector<Phase> out;
    const bool rows = stage == "parse" || stage == "score";
    Result<std::vector<ResultFile>> files = rows ? files_.row_exports() : files_.reports();
    if (!files) return std::move(files).error();
    if (stage == "score") out.push_back(scoring(again));
    for (ResultFile& file : *files) {
      if (file.phase == stage) out.push_back(making(std::move(file)));
    }
    return out;
  }

  Result<const RunFindings*> findings() override {
    if (Status recorded = record_settings(); !recorded) return std::move(recorded).error();
    if (Status made = files_.analyze(); !made) return std::move(made).error();
    return &files_.findings();
  }

 private:
  // Durable before any file is made with them.
  Status record_settings() {
    if (std::exchange(recorded_, true)) return ok;
    const Result<std::string> before = in_.run.result_settings();
    if (!before) return before.error();
    if (const auto known = result_settings_from_json(*before)) settings_.speeds = known->speeds;
    add_speeds(settings_, in_.engines);
    const std::string text = to_json(settings_);
    return text == *before ? Status(ok) : in_.run.record_result_settings(text);
  }

  Result<bool> anything_answered() {
    for (const ArmSpec& arm : in_.plan.arms) {
      Result<std::unique_ptr<ArmStore>> store = in_.run.open_arm_read_only(arm);
      if (!store) return std::move(store).error();
      Result<ArmProgress> progress = (*store)->progress();
      if (!progress) return std::move(progress).error();
      if (progress->accepted > 0) return true;
    }
    return false;
  }

  Phase scoring(bool again) {
    return {"score", "run", files_.input_hash("score", "run"),
            [this, again]() -> Result<std::vector<PhaseOutput>> {
              Status scored = score_arms(in_.run, in_.plan, settings_.rules, in_.observer, again);
              if (!scored) return std::move(scored).error();
              return std::vector<PhaseOutput>();
            },
            [this] { return arms_are_scored(in_.run, in_.plan, settings_.rules); }};
  }

  Phase making(ResultFile file) {
    const std::filesystem::path path = in_.run.folder() / file.path;
    return {file.phase, file.subject, file.input_hash,
            [make = std::move(file.make), path]() -> Result<std::vector<PhaseOutput>> {
              Result<std::string> sha256 = make(path);
              if (!sha256) return std::move(sha256).error();
              return std::vector<PhaseOutput>{{path, *sha256}};
            }};
  }

  const ResultInputs in_;
  ResultSettings settings_;
  ResultFiles files_;
  bool recorded_ = false;
};

}  // namespace

std::unique_ptr<ResultStages> make_result_stages(const ResultInputs& inputs) {
  return std::make_unique<RecordedResults>(inputs);
}

}  // namespace promptsweep
