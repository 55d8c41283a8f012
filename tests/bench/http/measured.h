// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdio>
#include <ctime>

// Runs `requests` of them by `run`, which returns how many failed, and prints the rate and the CPU
// time of the process as JSON. Returns the program's exit status.
template <class Run>
int measured(long requests, Run run) {
  const std::clock_t cpu_before = std::clock();
  const auto before = std::chrono::steady_clock::now();
  const long failed = run();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  const double cpu = double(std::clock() - cpu_before) / CLOCKS_PER_SEC;
  std::printf(
      "{\"requests\":%ld,\"failed\":%ld,\"requests_per_s\":%.1f,\"cpu_us_per_request\":%.2f}\n",
      requests, failed, double(requests) / seconds, cpu * 1e6 / double(requests));
  return failed == 0 ? 0 : 1;
}
