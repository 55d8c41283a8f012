// SPDX-License-Identifier: Apache-2.0
// Who hears of a run while it goes. Called from the thread that runs it, and `message` from any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "records/plan.h"

namespace promptsweep {

enum class Severity { debug, info, warning, error };

struct EngineProgress {
  std::int64_t expected = 0;  // requests of all arms of this engine
  std::int64_t accepted = 0;  // with a final result, earlier invocations included
  std::int64_t accepted_now = 0;
  std::int64_t not_ok_now = 0;   // of those, final but not ok
  std::int64_t retried_now = 0;  // transient results that were offered again
  std::int64_t in_flight = 0;
  double seconds = 0;  // since the engine was ready
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void message(Severity, std::string_view) {}
  virtual void engine_opening(const EngineSpec&, std::uint64_t /*done*/, std::uint64_t /*total*/,
                              std::string_view /*stage*/) {}
  virtual void engine_ready(const EngineSpec&, std::string_view /*identity_json*/) {}
  virtual void engine_progress(const EngineSpec&, const EngineProgress&) {}
  virtual void engine_finished(const EngineSpec&, const EngineProgress&) {}
  // The arm's store is about to be written for the first time in this invocation.
  virtual void arm_started(const ArmSpec&) {}
  // Every request of it has a final result and its store is closed.
  virtual void arm_finished(const ArmSpec&) {}
  virtual void phase_started(std::string_view /*phase*/, std::string_view /*subject*/) {}
  virtual void phase_skipped(std::string_view /*phase*/, std::string_view /*subject*/) {}
};

}  // namespace promptsweep
