// SPDX-License-Identifier: Apache-2.0
// A record as a row of results.
#include <utility>

#include "backend/record_body.h"
#include "backend/text.h"
#include "base/unicode.h"

namespace promptsweep {
namespace {

std::optional<std::int64_t> known_count(std::uint64_t from_record) {
  if (from_record == 0) return std::nullopt;
  return static_cast<std::int64_t>(from_record);
}

void fill_counts(ResultRow& row, const RecordBody& body, const host::Record& record) {
  row.prompt_tokens = body.prompt_tokens;
  row.prompt_tokens_evaluated = body.prompt_tokens_evaluated;
  row.completion_tokens = body.completion_tokens;
  if (!row.prompt_tokens) row.prompt_tokens = known_count(record.prompt_tokens);
  if (!row.completion_tokens) row.completion_tokens = known_count(record.completion_tokens);
}

void fail(ResultRow& row, Outcome outcome, std::string sentence) {
  row.outcome = outcome;
  row.text.clear();
  row.finish_reason.clear();
  row.error = std::move(sentence);
}

void fill_answer(ResultRow& row, RecordBody& body) {
  if (!body.text) {
    fail(row, Outcome::error_backend, "the backend's answer has no text");
    return;
  }
  row.text = *std::move(body.text);
  row.finish_reason = std::move(body.finish_reason);
  row.model = std::move(body.model);
  row.remote_id = std::move(body.remote_id);
  row.seed_honoured = body.seed_honoured;
  row.timings_json = std::move(body.timings_json);

  if (row.prompt_tokens && row.prompt_tokens_evaluated &&
      *row.prompt_tokens_evaluated < *row.prompt_tokens) {
    fail(row, Outcome::prompt_truncated,
         "the model saw only " + std::to_string(*row.prompt_tokens_evaluated) +
             " of the prompt's " + std::to_string(*row.prompt_tokens) + " tokens");
  } else if (row.outcome == Outcome::ok && !has_visible_character(row.text)) {
    row.outcome = Outcome::empty;
  }
}

std::string error_sentence(const RecordBody& body, const host::Record& record) {
  if (body.error) return *body.error;
  return "the backend gives no reason (code " + std::to_string(record.error_code) + ")";
}

std::optional<RecordBody> read_body(std::string_view json) {
  std::optional<RecordBody> plain = plain_record_body(json);
  return plain ? std::move(plain) : tree_record_body(json);
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
  std::optional<RecordBody> body = read_body(record.body_json);
  if (!body) {
    fail(row, Outcome::error_backend, "the backend's record is not a JSON object");
    return row;
  }
  fill_counts(row, *body, record);
  if (is_missing_data(row.outcome)) {
    fail(row, row.outcome, redactor.clean(error_sentence(*body, record)));
  } else {
    fill_answer(row, *body);
  }
  return row;
}

}  // namespace promptsweep
