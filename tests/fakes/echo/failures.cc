// SPDX-License-Identifier: Apache-2.0
#include "failures.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "answers.h"

namespace echo {

std::optional<FailureKind> Failures::next(const psw::Request& request) {
  if (options_.failures.empty()) return std::nullopt;
  std::lock_guard<std::mutex> lock(mutex_);
  const std::uint64_t number = ++begun_;
  for (const FailureRule& rule : options_.failures) {
    if (!matches(rule, request, number)) continue;
    if (rule.times != 0 && count_attempt(request.request_id) > rule.times) return std::nullopt;
    return rule.kind;
  }
  return std::nullopt;
}

bool Failures::matches(const FailureRule& rule, const psw::Request& request,
                       std::uint64_t number) const {
  switch (rule.selector) {
    case FailureRule::Selector::request_id:
      return request.request_id == rule.text;
    case FailureRule::Selector::contains:
      return request.line.find(rule.text) != std::string::npos;
    case FailureRule::Selector::index:
      return request.index == rule.number;
    case FailureRule::Selector::every:
      return hash_of(request.request_id, 3) % rule.number == 0;
    case FailureRule::Selector::nth:
      return number == rule.number;
  }
  return false;
}

std::uint64_t Failures::count_attempt(const std::string& request_id) {
  if (options_.state_folder.empty()) return ++attempts_[request_id];
  char name[32];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(hash_of(request_id)));
  // One byte an attempt: the file's size is the count.
  const std::filesystem::path file = std::filesystem::path(options_.state_folder) / name;
  std::ofstream(file, std::ios::app | std::ios::binary) << '.' << std::flush;
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  if (failed) throw psw::Error(PSW_E_RESOURCE, "cannot count attempts in the state_folder");
  return size;
}

}  // namespace echo
