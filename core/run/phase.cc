// SPDX-License-Identifier: Apache-2.0
#include "run/phase.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/env.h"

namespace promptsweep {
namespace {

using nlohmann::json;

bool outputs_are_intact(const std::filesystem::path& folder, const std::string& outputs_json) {
  const json outputs = json::parse(outputs_json, nullptr, false);
  if (!outputs.is_object()) return false;
  for (const auto& [path, sha256] : outputs.items()) {
    const Result<std::string> now = sha256_hex_of_file(folder / path);
    if (!now || !sha256.is_string() || *now != sha256.get<std::string>()) return false;
  }
  return true;
}

std::string outputs_to_json(const std::filesystem::path& folder,
                            const std::vector<PhaseOutput>& outputs) {
  json out = json::object();
  for (const PhaseOutput& output : outputs) {
    out[std::filesystem::relative(output.path, folder).generic_string()] = output.sha256;
  }
  return out.dump();
}

}  // namespace

Status run_phases(RunStore& run, const std::vector<Phase>& phases, Observer& observer) {
  for (const Phase& phase : phases) {
    Result<std::optional<PhaseRecord>> known = run.phase(phase.name, phase.subject);
    if (!known) return std::move(known).error();
    if (*known && (*known)->input_hash == phase.input_hash &&
        outputs_are_intact(run.folder(), (*known)->outputs_json)) {
      observer.phase_skipped(phase.name, phase.subject);
      continue;
    }
    observer.phase_started(phase.name, phase.subject);
    Result<std::vector<PhaseOutput>> outputs = phase.execute();
    if (!outputs) return std::move(outputs).error().in(phase.name + " of " + phase.subject);
    PhaseRecord record;
    record.phase = phase.name;
    record.subject = phase.subject;
    record.input_hash = phase.input_hash;
    record.outputs_json = outputs_to_json(run.folder(), *outputs);
    record.finished_at = utc_now();
    if (Status recorded = run.record_phase(record); !recorded) return recorded;
  }
  return ok;
}

}  // namespace promptsweep
