// SPDX-License-Identifier: Apache-2.0
// A record's body (sdk/schema/response.schema.json) as a row of results.
#include <nlohmann/json.hpp>

#include "backend/text.h"
#include "base/unicode.h"

namespace promptsweep {
namespace {

using nlohmann::json;

std::string text_member(const json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Absent, null and nonsense are all "not measured".
std::optional<std::int64_t> count_member(const json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  return value >= 0 ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> known_count(std::uint64_t from_record) {
  if (from_record == 0) return std::nullopt;
  return static_cast<std::int64_t>(from_record);
}

void fill_counts(ResultRow& row, const json& body, const host::Record& record) {
  row.prompt_tokens = count_member(body, "prompt_tokens");
  row.prompt_tokens_evaluated = count_member(body, "prompt_tokens_evaluated");
  row.completion_tokens = count_member(body, "completion_tokens");
  if (!row.prompt_tokens) row.prompt_tokens = known_count(record.prompt_tokens);
  if (!row.completion_tokens) row.completion_tokens = known_count(record.completion_tokens);
}

void fail(ResultRow& row, Outcome outcome, std::string sentence) {
  row.outcome = outcome;
  row.text.clear();
  row.finish_reason.clear();
  row.error = std::move(sentence);
}

void fill_answer(ResultRow& row, const json& body) {
  const auto text = body.find("text");
  if (text == body.end() || !text->is_string()) {
    fail(row, Outcome::error_backend, "the backend's answer has no text");
    return;
  }
  row.text = text->get<std::string>();
  row.finish_reason = text_member(body, "finish_reason");
  row.model = text_member(body, "model");
  row.remote_id = text_member(body, "remote_id");
  const auto honoured = body.find("seed_honoured");
  if (honoured != body.end() && honoured->is_boolean()) row.seed_honoured = honoured->get<bool>();
  const auto timings = body.find("timings");
  if (timings != body.end() && timings->is_object()) row.timings_json = timings->dump();

  if (row.prompt_tokens && row.prompt_tokens_evaluated &&
      *row.prompt_tokens_evaluated < *row.prompt_tokens) {
    fail(row, Outcome::prompt_truncated,
         "the model saw only " + std::to_string(*row.prompt_tokens_evaluated) +
             " of the prompt's " + std::to_string(*row.prompt_tokens) + " tokens");
  } else if (row.outcome == Outcome::ok && !has_visible_character(row.text)) {
    row.outcome = Outcome::empty;
  }
}

std::string error_sentence(const json& body, const host::Record& record) {
  const auto found = body.find("error");
  if (found != body.end() && found->is_string()) return found->get<std::string>();
  if (found != body.end() && found->is_object()) {
    std::string message = text_member(*found, "message");
    if (!message.empty()) return message;
  }
  return "the backend gives no reason (code " + std::to_string(record.error_code) + ")";
}

}  // namespace

ResultRow to_row(const host::Record& record, const std::string& job_id, const Redactor& redactor) {
  ResultRow row;
  row.request_id = std::string(record.request_id);
  row.job_id = job_id;
  row.outcome = outcome_of(record.outcome);
  row.attempts = static_cast<int>(record.attempts);
  row.finished_unix_us = record.finished_unix_us;
  if (record.started_unix_us > 0 && record.finished_unix_us >= record.started_unix_us) {
    row.latency_ms = static_cast<double>(record.finished_unix_us - record.started_unix_us) / 1000.0;
  }
  const json body = json::parse(record.body_json, nullptr, false);
  if (!body.is_object()) {
    fail(row, Outcome::error_backend, "the backend's record is not a JSON object");
    return row;
  }
  fill_counts(row, body, record);
  if (is_missing_data(row.outcome)) {
    fail(row, row.outcome, redactor.clean(error_sentence(body, record)));
  } else {
    fill_answer(row, body);
  }
  return row;
}

}  // namespace promptsweep
