// SPDX-License-Identifier: Apache-2.0
#include "cli/results.h"

#include "cli/result_files.h"
#include "run/manifest.h"
#include "run/phase.h"
#include "run/score_pass.h"

namespace promptsweep {
namespace {

// Durable before any file is made with them: what a file says can always be made again.
Result<ResultSettings> record_settings(RunStore& run, const RunPlan& plan,
                                       const SweepConfig& config,
                                       const std::map<std::string, PluginInfo>& plugins,
                                       const std::vector<EngineSummary>& engines) {
  ResultSettings settings = result_settings(config, plan, plugins);
  const Result<std::string> recorded = run.result_settings();
  if (!recorded) return recorded.error();
  if (const auto before = result_settings_from_json(*recorded)) settings.speeds = before->speeds;
  add_speeds(settings, engines);
  const std::string text = to_json(settings);
  if (text == *recorded) return settings;
  if (Status kept = run.record_result_settings(text); !kept) return std::move(kept).error();
  return settings;
}

std::vector<Phase> phases_of(const RunStore& run, const std::vector<ResultFile>& files) {
  std::vector<Phase> phases;
  for (const ResultFile& file : files) {
    const std::filesystem::path path = run.folder() / file.path;
    phases.push_back({file.phase, file.subject, file.input_hash,
                      [&file, path]() -> Result<std::vector<PhaseOutput>> {
                        Result<std::string> sha256 = file.make(path);
                        if (!sha256) return std::move(sha256).error();
                        return std::vector<PhaseOutput>{{path, *sha256}};
                      }});
  }
  return phases;
}

}  // namespace

Result<RunFindings> make_results(RunStore& run, const RunPlan& plan, const SweepConfig& config,
                                 const std::map<std::string, PluginInfo>& plugins,
                                 const std::vector<EngineSummary>& engines, Observer& observer) {
  const Result<ResultSettings> settings = record_settings(run, plan, config, plugins, engines);
  if (!settings) return settings.error();
  if (Status scored = score_arms(run, plan, settings->rules, observer); !scored)
    return std::move(scored).error();
  ResultFiles files(run, plan, *settings);
  const Result<std::vector<ResultFile>> rows = files.row_exports();
  if (!rows) return rows.error();
  if (Status exported = run_phases(run, phases_of(run, *rows), observer); !exported)
    return std::move(exported).error();
  if (Status found = files.analyze(); !found) return std::move(found).error();
  const Result<std::vector<ResultFile>> reports = files.reports();
  if (!reports) return reports.error();
  if (Status reported = run_phases(run, phases_of(run, *reports), observer); !reported)
    return std::move(reported).error();
  const Result<std::vector<ArmState>> states = arm_states(run, plan);
  if (!states) return states.error();
  if (Status written = write_manifests(run, plan, *states); !written)
    return std::move(written).error();
  return files.findings();
}

}  // namespace promptsweep
