// SPDX-License-Identifier: Apache-2.0
#include "cli/run_view.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "base/unicode.h"

namespace promptsweep {

using nlohmann::json;

std::string count_text(const ArmProgress& progress) {
  return std::to_string(progress.accepted) + "/" + std::to_string(progress.expected);
}

std::string outcomes_text(const ArmProgress& progress) {
  std::string out;
  for (const auto& [outcome, count] : progress.outcomes)
    out +=
        (out.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(outcome));
  return out;
}

std::string bytes_text(std::uintmax_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return buffer;
}

std::string trial_state(const RunOverview& run, const TrialSpec& trial) {
  if (trial.superseded) return "superseded";
  return run.complete(trial) ? "complete" : "incomplete";
}

std::string next_step(const RunOverview& run) {
  const std::string folder = run.summary.folder.string();
  if (run.summary.writer) {
    return "it is running; promptsweep stop " + folder + " asks it to stop";
  }
  if (run.summary.state == "sealed") return "nothing to do: the run is sealed";
  if (run.summary.state == "complete") {
    return "nothing to do; promptsweep archive " + folder + " seals it";
  }
  if (run.plan.run_id.empty()) return "the run has no plan yet; start its command again";
  const ArmProgress progress = run.progress();
  const bool answered = progress.expected > 0 && progress.complete();
  return "promptsweep resume " + folder +
         (answered ? " makes the results; every request is answered" : " goes on");
}

namespace {

bool is_plain_word(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  return !word.empty() && word.find_first_not_of(plain) == std::string::npos;
}

std::string quoted(const std::string& word) {
  if (is_plain_word(word)) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string one_line(const std::string& text) {
  std::string out = replace_invalid_utf8(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

}  // namespace

std::string command_text(const std::string& command_line_json) {
  std::string out = "promptsweep run";
  const json words = json::parse(command_line_json, nullptr, false);
  if (!words.is_array()) return out;
  for (const json& word : words) {
    if (!word.is_string() || (word == "run" && &word == &words.front())) continue;
    out += " " + quoted(word.get<std::string>());
  }
  return one_line(out);
}

std::string token_text(const std::string& token) {
  constexpr std::size_t most = 80;
  for (const char c : token) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E)
      return std::to_string(token.size()) + " bytes";
  }
  return token.size() <= most ? token : token.substr(0, most) + "...";
}

std::string last_error_text(const RunOverview& run) {
  const json document = parsed(run.last_error_json);
  if (!document.is_object() || !document.contains("text") || !document["text"].is_string())
    return "";
  std::string out;
  for (const char* key : {"at", "phase", "subject"}) {
    if (document.contains(key) && document[key].is_string())
      out += document[key].get<std::string>() + " ";
  }
  if (!out.empty()) out.replace(out.size() - 1, 1, ": ");
  return one_line(out + document["text"].get<std::string>());
}

json progress_json(const ArmProgress& progress) {
  json outcomes = json::object();
  for (const auto& [outcome, count] : progress.outcomes)
    outcomes[std::string(to_string(outcome))] = count;
  return {{"done", progress.accepted},
          {"expected", progress.expected},
          {"in_jobs", progress.in_jobs},
          {"outcomes", outcomes}};
}

json summary_json(const RunSummary& run) {
  const auto text = [](const std::string& value) { return value.empty() ? json() : json(value); };
  return {{"run_id", run.run_id},
          {"state", run.shown_state()},
          {"recorded_state", run.state},
          {"running_by", run.writer ? json(*run.writer) : json()},
          {"created_at", text(run.created_at)},
          {"folder", run.folder.string()},
          {"config_sha256", text(run.config_sha256)},
          {"problem", text(run.problem)}};
}

json job_json(const RunOverview& run, const ArmOverview& arm, const JobRow& job) {
  const ArmSpec* spec = find_arm(run.plan, arm.arm_id);
  const EngineSpec* engine = spec == nullptr ? nullptr : find_engine(run.plan, spec->engine_id);
  return {{"job_id", job.job_id},
          {"arm_id", arm.arm_id},
          {"backend", engine == nullptr ? json() : json(engine->backend)},
          {"type", std::string(to_string(job.type))},
          {"state", job.state},
          {"requests", job.request_count},
          {"created_at", utc_from_unix_us(job.created_unix_us)},
          {"token", job.resume_token.empty() ? json() : json(job.resume_token)}};
}

json status_json(const RunOverview& run) {
  json trials = json::array(), engines = json::array(), jobs = json::array(),
       damaged = json::array();
  for (const TrialSpec& trial : run.plan.trials) {
    trials.push_back({{"slug", trial.slug},
                      {"state", trial_state(run, trial)},
                      {"requests", progress_json(run.progress_of(trial))}});
  }
  for (const EngineSpec& engine : run.plan.engines) {
    engines.push_back({{"engine_id", engine.engine_id},
                       {"backend", engine.backend},
                       {"model_id", engine.model},
                       {"requests", progress_json(run.progress_of(engine))}});
  }
  for (const ArmOverview& arm : run.arms) {
    for (const JobRow& job : arm.open_jobs) jobs.push_back(job_json(run, arm, job));
    if (!arm.problem.empty()) damaged.push_back({{"arm_id", arm.arm_id}, {"text", arm.problem}});
  }
  json out = summary_json(run.summary);
  out["requests"] = progress_json(run.progress());
  out["trials"] = trials;
  out["engines"] = engines;
  out["open_jobs"] = jobs;
  out["unreadable_arms"] = damaged;
  out["last_error"] = parsed(run.last_error_json);
  out["next"] = next_step(run);
  return out;
}

json parsed(const std::string& document) {
  json out = json::parse(document, nullptr, false);
  return out.is_discarded() ? json() : out;
}

std::string printed(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace promptsweep
