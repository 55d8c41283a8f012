// SPDX-License-Identifier: Apache-2.0
// A run told to a person: one progress line on stderr that renews itself on a terminal, and plain
// lines for what matters. Quiet when stderr is no terminal, but for warnings and errors.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "run/observer.h"

namespace promptsweep {

class TerminalObserver final : public Observer {
 public:
  // `quiet` leaves warnings and errors only.
  explicit TerminalObserver(bool quiet);
  ~TerminalObserver() override;

  void message(Severity severity, std::string_view text) override;
  void engine_opening(const EngineSpec& engine, std::uint64_t done, std::uint64_t total,
                      std::string_view stage) override;
  void engine_ready(const EngineSpec& engine, std::string_view identity_json) override;
  void engine_progress(const EngineSpec& engine, const EngineProgress& progress) override;
  void engine_finished(const EngineSpec& engine, const EngineProgress& progress) override;
  void phase_started(std::string_view phase, std::string_view subject) override;

 private:
  void show_line(const std::string& text);  // the renewed line
  void print(const std::string& text);      // a line that stays
  void clear();

  const bool is_terminal_;
  const bool quiet_;
  std::mutex mutex_;
  bool line_shown_ = false;
  std::set<std::string> said_once_;
};

// "3 min 20 s", "45 s", "2 h 5 min".
std::string format_duration(double seconds);

}  // namespace promptsweep
