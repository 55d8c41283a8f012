// SPDX-License-Identifier: Apache-2.0
#include "run/phase.h"

#include <algorithm>
#include <exception>
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

// Whatever escapes a phase is an error of that phase: it must not take the record with it.
template <class Call>
auto guarded(const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return Error{Code::internal, error.what()};
  }
}

Result<bool> is_done(RunStore& run, const Phase& phase) {
  Result<std::optional<PhaseRecord>> known = run.phase(phase.name, phase.subject);
  if (!known) return std::move(known).error();
  if (!*known || (*known)->input_hash != phase.input_hash) return false;
  if (!outputs_are_intact(run.folder(), (*known)->outputs_json)) return false;
  return phase.still_done ? guarded(phase.still_done) : Result<bool>(true);
}

Status record(RunStore& run, const Phase& phase, const std::string& input_hash,
              const std::vector<PhaseOutput>& outputs) {
  PhaseRecord out;
  out.phase = phase.name;
  out.subject = phase.subject;
  out.input_hash = input_hash;
  out.outputs_json = outputs_to_json(run.folder(), outputs);
  out.finished_at = utc_now();
  return run.record_phase(out);
}

Status record_as_not_done(RunStore& run, const Phase& phase) { return record(run, phase, "", {}); }

Status run_phase(RunStore& run, const Phase& phase) {
  Result<std::vector<PhaseOutput>> outputs = guarded(phase.execute);
  if (!outputs) {
    // The error matters more than a failure to note it.
    static_cast<void>(bool(record_as_not_done(run, phase)));
    return std::move(outputs).error().in(phase.name + " of " + phase.subject);
  }
  if (phase.still_done) {
    Result<bool> done = guarded(phase.still_done);
    if (!done) return std::move(done).error();
    if (!*done) return record_as_not_done(run, phase);
  }
  return record(run, phase, phase.input_hash, *outputs);
}

Error stopped() { return {Code::cancelled, "stopped"}; }

// Of a stage that is left out: is it done all the same? What is not is recorded so; where the stage
// could not go, it has no phases yet and no record.
Result<bool> note_left_out(RunStore& run, const Stage& stage) {
  if (!guarded(stage.ready)) return false;
  Result<std::vector<Phase>> phases = guarded(stage.phases);
  if (!phases) return std::move(phases).error();
  bool all_done = true;
  for (const Phase& phase : *phases) {
    Result<bool> done = is_done(run, phase);
    if (!done) return done;
    if (*done) continue;
    all_done = false;
    Result<std::optional<PhaseRecord>> before = run.phase(phase.name, phase.subject);
    if (!before) return std::move(before).error();
    // An older record says what files there are and what they were made from: it stays.
    if (*before) continue;
    if (Status noted = record_as_not_done(run, phase); !noted) return std::move(noted).error();
  }
  return all_done;
}

}  // namespace

StageChoice::StageChoice() : wanted_(stage_names.begin(), stage_names.end()) {}

Result<StageChoice> StageChoice::from(const Wish& wish) {
  const auto place = [](const std::string& name) {
    return std::find(stage_names.begin(), stage_names.end(), name) - stage_names.begin();
  };
  const auto end = static_cast<std::ptrdiff_t>(stage_names.size());
  const auto check = [&](const std::string& flag, const std::string& name) -> Status {
    if (place(name) < end) return ok;
    std::string allowed;
    for (const std::string_view stage : stage_names) allowed += " " + std::string(stage);
    return Error{Code::invalid_input,
                 flag + ": found \"" + name + "\"; allowed is one of" + allowed};
  };
  for (const auto& [flag, name] :
       {std::pair("--only_step", &wish.only), std::pair("--from_step", &wish.from),
        std::pair("--to_step", &wish.to)}) {
    if (!*name) continue;
    if (Status known = check(flag, **name); !known) return std::move(known).error();
  }
  if (wish.only && (wish.from || wish.to)) {
    return Error{Code::invalid_input, "--only_step goes with neither --from_step nor --to_step"};
  }
  const std::ptrdiff_t first = wish.only ? place(*wish.only) : wish.from ? place(*wish.from) : 0;
  const std::ptrdiff_t last = wish.only ? first : wish.to ? place(*wish.to) : end - 1;
  if (first > last) {
    return Error{Code::invalid_input, "--from_step " + *wish.from + " comes after --to_step " +
                                          *wish.to + "; nothing is between them"};
  }
  StageChoice out;
  out.wanted_ = {stage_names.begin() + first, stage_names.begin() + last + 1};
  for (const std::string& name : wish.skip) out.wanted_.erase(name);
  if (out.wanted_.empty()) return Error{Code::invalid_input, "the flags leave no phase to run"};
  for (const std::string& name : wish.force) {
    if (Status known = check("--force_step", name); !known) return std::move(known).error();
    if (!out.wants(name)) {
      return Error{Code::invalid_input, "--force_step " + name + ": other flags leave it out"};
    }
  }
  out.forced_ = wish.force;
  return out;
}

Result<bool> recorded_files_exist(RunStore& run) {
  const Result<std::vector<PhaseRecord>> records = run.phases();
  if (!records) return records.error();
  for (const PhaseRecord& record : *records) {
    const json outputs = json::parse(record.outputs_json, nullptr, false);
    for (const auto& output : outputs.items()) {
      std::error_code ignored;
      if (!std::filesystem::exists(run.folder() / output.key(), ignored)) return false;
    }
  }
  return true;
}

Status run_phases(RunStore& run, const std::vector<Phase>& phases, const StageChoice& choice,
                  Observer& observer, const StopFlag& stop) {
  for (const Phase& phase : phases) {
    if (stop.requested()) return stopped();
    if (!choice.forces(phase.name)) {
      Result<bool> done = is_done(run, phase);
      if (!done) return std::move(done).error();
      if (*done) {
        observer.phase_skipped(phase.name, phase.subject);
        continue;
      }
    }
    observer.phase_started(phase.name, phase.subject);
    if (Status made = run_phase(run, phase); !made) {
      // What a stop cut short has not failed.
      if (made.error().code != Code::cancelled) {
        keep_last_error(run, phase.name, phase.subject, made.error().text);
      }
      return made;
    }
  }
  return ok;
}

Result<StagesDone> run_stages(RunStore& run, const std::vector<Stage>& stages,
                              const StageChoice& choice, Observer& observer, const StopFlag& stop) {
  StagesDone out;
  for (const Stage& stage : stages) {
    if (stop.requested()) return stopped();
    if (!choice.wants(stage.name)) {
      Result<bool> done = note_left_out(run, stage);
      if (!done) return std::move(done).error();
      out.everything = out.everything && *done;
      continue;
    }
    Status ready = guarded(stage.ready);
    Result<std::vector<Phase>> phases = ready ? guarded(stage.phases) : std::move(ready).error();
    if (!phases) {
      keep_last_error(run, stage.name, "run", phases.error().text);
      return std::move(phases).error();
    }
    if (Status made = run_phases(run, *phases, choice, observer, stop); !made) {
      return std::move(made).error();
    }
    for (const Phase& phase : *phases) {
      if (!phase.still_done) continue;
      Result<bool> done = guarded(phase.still_done);
      if (!done) return std::move(done).error();
      out.wanted = out.wanted && *done;
    }
  }
  if (Status cleared = run.set_last_error(""); !cleared) return std::move(cleared).error();
  out.everything = out.everything && out.wanted;
  return out;
}

void keep_last_error(RunStore& run, const std::string& phase, const std::string& subject,
                     const std::string& text) {
  const json document{{"phase", phase}, {"subject", subject}, {"text", text}, {"at", utc_now()}};
  static_cast<void>(
      bool(run.set_last_error(document.dump(-1, ' ', false, json::error_handler_t::replace))));
}

}  // namespace promptsweep
