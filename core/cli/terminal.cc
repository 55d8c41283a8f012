// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <cmath>
#include <cstdio>

#include "base/env.h"

namespace promptsweep {

TerminalObserver::TerminalObserver(bool quiet)
    : is_terminal_(stderr_is_terminal()), quiet_(quiet) {}

TerminalObserver::~TerminalObserver() { clear(); }

void TerminalObserver::clear() {
  if (line_shown_) std::fputs("\r\x1b[K", stderr);
  line_shown_ = false;
}

void TerminalObserver::print(const std::string& text) {
  const std::lock_guard<std::mutex> hold(mutex_);
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void TerminalObserver::show_line(const std::string& text) {
  if (quiet_ || !is_terminal_) return;
  const std::lock_guard<std::mutex> hold(mutex_);
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  std::fflush(stderr);
  line_shown_ = true;
}

void TerminalObserver::message(Severity severity, std::string_view text) {
  if (severity == Severity::debug) return;
  if (severity == Severity::info && quiet_) return;
  // An engine that reopens says the same again; once is enough for a person.
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (severity == Severity::info && !said_once_.insert(std::string(text)).second) return;
  }
  const char* label = severity == Severity::warning ? "warning: "
                      : severity == Severity::error ? "error: "
                                                    : "";
  print(label + std::string(text));
}

void TerminalObserver::engine_opening(const EngineSpec& engine, std::uint64_t done,
                                      std::uint64_t total, std::string_view stage) {
  std::string text = engine.model + ": " + std::string(stage);
  if (total > 0) text += " " + std::to_string(100 * done / total) + " %";
  show_line(text);
}

void TerminalObserver::engine_ready(const EngineSpec& engine, std::string_view) {
  show_line(engine.model + ": ready");
}

void TerminalObserver::engine_progress(const EngineSpec& engine, const EngineProgress& progress) {
  const double rate =
      progress.seconds > 0 ? static_cast<double>(progress.accepted_now) / progress.seconds : 0;
  std::string text = engine.model + ": " + std::to_string(progress.accepted) + "/" +
                     std::to_string(progress.expected) + " requests";
  if (progress.not_ok_now > 0) text += ", " + std::to_string(progress.not_ok_now) + " not ok";
  if (progress.retried_now > 0)
    text += ", " + std::to_string(progress.retried_now) + " offered again";
  if (rate > 0) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, ", %.1f/s, about ", rate);
    text += buffer +
            format_duration(static_cast<double>(progress.expected - progress.accepted) / rate) +
            " left";
  }
  show_line(text);
}

void TerminalObserver::engine_finished(const EngineSpec& engine, const EngineProgress& progress) {
  if (quiet_) return;
  char rate[64] = "";
  if (progress.seconds > 0 && progress.accepted_now > 0) {
    std::snprintf(rate, sizeof rate, ", %.0f items/min",
                  60.0 * static_cast<double>(progress.accepted_now) / progress.seconds);
  }
  print(engine.model + ": " + std::to_string(progress.accepted) + "/" +
        std::to_string(progress.expected) + " requests answered (" +
        std::to_string(progress.accepted_now) + " now, " + format_duration(progress.seconds) +
        rate + ")");
}

void TerminalObserver::phase_started(std::string_view phase, std::string_view subject) {
  show_line(std::string(phase) + " " + std::string(subject));
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

}  // namespace promptsweep
