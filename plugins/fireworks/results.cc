// SPDX-License-Identifier: Apache-2.0
#include "results.h"

#include <promptsweep/http/openai_chat.h>

#include <fstream>

namespace fireworks {

bool for_each_line(const std::filesystem::path& file,
                   const std::function<void(std::string_view line)>& take) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return false;
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) take(line);
  }
  return !in.bad();
}

bool is_whole(const std::filesystem::path& file) {
  bool whole = true;
  const bool read = for_each_line(
      file, [&](std::string_view line) { whole = whole && parse_result_row(line).has_value(); });
  return read && whole;
}

// What is told once a file, in numbers.
struct Results::Oddities {
  std::unordered_set<std::string> seen;
  std::uint64_t unreadable = 0, unknown = 0, repeated = 0;
};

Results::Results(Work& work, const std::unordered_map<std::string, std::uint64_t>& index_of)
    : work_(work), index_of_(index_of) {}

void Results::take(const std::filesystem::path& file) {
  Oddities odd;
  const bool read = for_each_line(file, [&](std::string_view line) {
    const std::optional<ResultRow> row = parse_result_row(line);
    if (row) {
      take_row(*row, odd);
    } else {
      ++odd.unreadable;
    }
  });
  if (!read) throw psw::Error(PSW_E_RESOURCE, "a downloaded result file became unreadable");
  report(odd, file.filename().string());
}

void Results::take_row(const ResultRow& row, Oddities& odd) {
  const auto asked = index_of_.find(row.custom_id);
  if (asked == index_of_.end()) {
    ++odd.unknown;
    return;
  }
  if (!odd.seen.insert(row.custom_id).second) {
    ++odd.repeated;
    return;
  }
  const std::uint64_t index = asked->second;
  if (is_answered(index)) return;  // of an earlier job of the chain
  if (row.completion.empty()) {
    const RowFailure failure = failure_of(row);
    const std::string code = row.error_code.empty() ? "" : " (" + row.error_code + ")";
    fail(row.custom_id, index, failure, "the provider: " + row.error_message + code);
    return;
  }
  psw::Request request;
  request.index = index;
  request.request_id = row.custom_id;
  http::Record record;
  try {
    record = http::read_completion("a row of the batch", request, row.completion,
                                   http::fireworks_dialect());
  } catch (const psw::Error& error) {
    fail(row.custom_id, index, {PSW_OUTCOME_ERROR_BACKEND, error.code}, error.text);
    return;
  }
  if (record.outcome <= PSW_OUTCOME_FILTERED) {
    work_.deliver(request, record.body_json, record.outcome, record.usage);
    count(index);
  } else {
    fail(row.custom_id, index, {record.outcome, record.code},
         "the provider's answer is not usable: " + record.body_json);
  }
}

void Results::report(const Oddities& odd, const std::string& file) const {
  const auto tell = [&](std::uint64_t count, const char* what) {
    if (count != 0) work_.log(PSW_LOG_WARN, file + ": " + std::to_string(count) + what);
  };
  tell(odd.unreadable, " lines are no whole rows and are left out");
  tell(odd.unknown, " rows carry an id that was never sent and are left out");
  tell(odd.repeated, " rows repeat an id; the first one counts");
}

bool Results::is_answered(std::uint64_t index) const { return is_done_.count(index) != 0; }

void Results::count(std::uint64_t index) {
  is_done_.insert(index);
  held_.erase(index);
  ++answered_;
}

void Results::fail(const std::string& id, std::uint64_t index, const RowFailure& failure,
                   const std::string& sentence) {
  const bool final = failure.outcome == PSW_OUTCOME_ERROR_REQUEST ||
                     failure.outcome == PSW_OUTCOME_PROMPT_TRUNCATED;
  if (!final) {
    held_[index] = {id, failure, sentence};
    return;
  }
  psw::Request request;
  request.index = index;
  request.request_id = id;
  work_.fail(request, failure.outcome, failure.code, sentence);
  count(index);
}

void Results::release_held() {
  for (const auto& [index, held] : held_) {
    psw::Request request;
    request.index = index;
    request.request_id = held.id;
    work_.fail(request, held.failure.outcome, held.failure.code, held.sentence);
    is_done_.insert(index);
    ++answered_;
    ++failed_;
  }
  held_.clear();
}

void Results::fail_rest(std::int32_t outcome, psw_status code, const std::string& sentence) {
  for (const auto& [id, index] : index_of_) {
    if (is_answered(index)) continue;
    psw::Request request;
    request.index = index;
    request.request_id = id;
    work_.fail(request, outcome, code, sentence);
    is_done_.insert(index);
    ++answered_;
    ++failed_;
  }
}

void Results::refuse_named(const std::string& sentence) {
  for (const auto& [id, index] : index_of_) {
    if (is_answered(index)) continue;
    // A whole word: an id may be the beginning of another.
    const std::size_t at = sentence.find(id);
    if (at == std::string::npos) continue;
    const auto is_part = [&](std::size_t i) {
      const unsigned char c = i < sentence.size() ? static_cast<unsigned char>(sentence[i]) : ' ';
      return c == '-' || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    };
    if ((at > 0 && is_part(at - 1)) || is_part(at + id.size())) continue;
    fail(id, index, {PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT}, sentence);
  }
}

}  // namespace fireworks
