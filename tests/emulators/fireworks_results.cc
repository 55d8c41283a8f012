// SPDX-License-Identifier: Apache-2.0
// The two ends of a batch job: its rows, checked as the service checks them, and its result files.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "fireworks_jobs.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

const std::unordered_set<std::string>& body_fields() {
  static const std::unordered_set<std::string> fields = {"messages",
                                                         "prompt_token_ids",
                                                         "max_tokens",
                                                         "max_completion_tokens",
                                                         "temperature",
                                                         "top_p",
                                                         "top_k",
                                                         "min_p",
                                                         "typical_p",
                                                         "repetition_penalty",
                                                         "presence_penalty",
                                                         "frequency_penalty",
                                                         "mirostat_target",
                                                         "mirostat_lr",
                                                         "stop",
                                                         "seed",
                                                         "n",
                                                         "logprobs",
                                                         "top_logprobs",
                                                         "logit_bias",
                                                         "response_format",
                                                         "tools",
                                                         "tool_choice",
                                                         "parallel_tool_calls",
                                                         "reasoning_effort",
                                                         "ignore_eos",
                                                         "echo",
                                                         "user",
                                                         "metadata",
                                                         "prompt_truncate_len",
                                                         "context_length_exceeded_behavior",
                                                         "service_tier",
                                                         "prompt_cache_key",
                                                         "perf_metrics_in_response"};
  return fields;
}

// Returns what is wrong with a row, or "".
std::string read_row(const Json& line, const std::string& model, const JobParameters& parameters,
                     BatchRow& row) {
  if (!line.is_object()) return "a row must be a JSON object";
  for (const auto& [key, value] : line.items()) {
    if (key != "custom_id" && key != "body")
      return "Extra inputs are not permitted, field: '" + key + "'";
  }
  if (!line.value("custom_id", Json()).is_string()) return "custom_id is required";
  const Json body = line.value("body", Json());
  if (!body.is_object()) return "body is required";
  for (const auto& [key, value] : body.items()) {
    if (!body_fields().count(key)) return "Extra inputs are not permitted, field: '" + key + "'";
  }
  if (body.contains("messages") == body.contains("prompt_token_ids")) {
    return "exactly one of messages and prompt_token_ids is needed";
  }
  if (body.contains("max_completion_tokens") &&
      (parameters.max_tokens || body.contains("max_tokens"))) {
    return "max_tokens and max_completion_tokens must not both be given";
  }
  row.custom_id = line["custom_id"];
  if (auto refusal = read_chat(body, row.request)) return refusal->message;
  Question& question = row.request.question;
  question.model = model;
  if (!question.max_tokens) question.max_tokens = parameters.max_tokens;
  if (!question.temperature) question.temperature = parameters.temperature;
  return "";
}

// Whether a fault of results hits the row; about `part` of the rows, and always the first.
bool hits(const Strike& strike, const Job& job, std::size_t row) {
  if (row == 0) return true;
  const std::uint64_t bits = hash64(job.rows[row].custom_id, hash64(strike.kind->name));
  return static_cast<double>(bits >> 11) * 0x1p-53 < strike.part;
}

class Writer {
 public:
  Writer(World world, Job& job) : world_(world), job_(job) {}

  void write(Dataset& output) {
    for (std::size_t i = 0; i < job_.rows.size(); ++i) {
      if (lost(i)) continue;
      BatchRow& row = job_.rows[i];
      const Answer answer = world_.answers.answer(row.request.question);
      if (std::string error = row_error(i, answer); !error.empty()) {
        errors_.push_back(std::move(error));
        ++job_.failed;
      } else {
        add_answer(i, answer);
      }
    }
    world_.counts.rows_paid(job_.id, paid_);
    add_strangers();
    // The order is not that of the input.
    std::sort(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) {
      return std::tie(a.order, a.copy) < std::tie(b.order, b.copy);
    });
    put_files(output);
  }

 private:
  struct Line {
    std::uint64_t order;
    int copy;
    std::string text;
  };

  const Strike* hit(std::string_view fault, std::size_t row) const {
    for (const Strike& s : job_.result_strikes) {
      if (s.is(fault) && hits(s, job_, row)) return &s;
    }
    return nullptr;
  }
  bool any(std::string_view fault) const {
    return std::any_of(job_.result_strikes.begin(), job_.result_strikes.end(),
                       [&](const Strike& s) { return s.is(fault); });
  }

  // In neither file, and not computed.
  bool lost(std::size_t i) const {
    if (job_.struck("expired_empty") || job_.struck("expired")) return true;
    return job_.struck("expired_partial") && hash64(job_.rows[i].custom_id, 7) % 2 == 0;
  }

  std::string row_error(std::size_t i, const Answer& answer) const {
    const std::string& id = job_.rows[i].custom_id;
    if (hit("error_rows", i)) return error_line(id, 500, "internal server error");
    if (hit("error_rows_refused", i)) return error_line(id, 400, "the row was refused");
    if (answer.prompt_tokens >= world_.settings.context || hit("context_exceeded", i)) {
      return error_line(id, 400, "The prompt is too long for the model's context");
    }
    if (hit("error_as_string", i)) {
      return Json{{"custom_id", id}, {"error", "internal server error"}}.dump();
    }
    if (hit("error_in_response", i)) {
      return Json{{"custom_id", id},
                  {"response", {{"error", {{"code", 500}, {"message", "internal server error"}}}}}}
          .dump();
    }
    return "";
  }

  static std::string error_line(const std::string& id, int code, const std::string& message) {
    return Json{{"custom_id", id}, {"error", {{"code", code}, {"message", message}}}}.dump();
  }

  void add_answer(std::size_t i, const Answer& answer) {
    BatchRow& row = job_.rows[i];
    const std::uint64_t hash = row.request.question.hash();
    paid_.push_back(hash);
    world_.counts.generation(hash);
    ++job_.answered;
    job_.input_tokens += answer.prompt_tokens;
    job_.output_tokens += answer.completion_tokens;
    if (hit("rows_missing", i)) return;  // computed and paid, and yet in no file
    const std::string id = hit("wrong_ids", i) ? row.custom_id + "-wrong" : row.custom_id;
    const std::uint64_t order = hash64(id, world_.settings.seed + 1);
    std::string text = line(i, id, answer);
    // An odd line counts as delivered: a job that goes on would not compute it again.
    row.done = !hit("wrong_ids", i);
    if (hit("malformed_row", i)) text = text.substr(0, text.size() / 2);
    if (hit("row_twice", i)) lines_.push_back({order, 1, text});
    if (hit("row_twice_differs", i)) {
      Answer other = answer;
      other.text += " or not";
      lines_.push_back({order, 1, line(i, id, other)});
    }
    lines_.push_back({order, 0, std::move(text)});
  }

  std::string line(std::size_t i, const std::string& id, const Answer& answer) const {
    CompletionStyle style;
    style.model = job_.model;
    Json completion = completion_json(job_.rows[i].request, answer, style);
    Strike garbling;
    for (const Strike& s : job_.result_strikes) {
      if (s.kind->act == Act::garbled && hits(s, job_, i)) garbling = s;
    }
    spoil(completion, garbling);
    Json out = {{"custom_id", id}};
    if (hit("error_in_200", i)) completion = {{"error", {{"code", 500}, {"message", "internal"}}}};
    if (hit("result_body_shape", i))
      out["response"] = {{"status_code", 200}, {"body", completion}};
    else
      out["response"] = std::move(completion);
    return dump_spoiled(out, garbling);
  }

  void add_strangers() {
    if (!any("unknown_ids")) return;
    Answer answer;
    answer.text = "an answer nobody asked for";
    for (const char* id : {"nobody-1", "nobody-2"}) {
      if (!job_.rows.empty()) lines_.push_back({hash64(id), 0, line(0, id, answer)});
    }
  }

  void put_files(Dataset& output) const {
    const std::size_t shards =
        std::min(world_.settings.shards, std::max<std::size_t>(lines_.size(), 1));
    std::vector<std::string> files(shards);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      // Copies of a row stay in one file, so that the first is the first.
      std::string& file = files[lines_[i].order % shards];
      if (any("blank_lines") && i % 2 == 0) file += any("crlf") ? "\r\n" : "\n";
      file += lines_[i].text + (any("crlf") ? "\r\n" : "\n");
    }
    for (std::size_t s = 0; s < shards; ++s) {
      std::string& file = files[s];
      if (any("no_final_newline") && !file.empty()) file.pop_back();
      if (any("cut_last_line") && file.size() > 20) file.resize(file.size() - 12);
      const std::string number = s == 0 ? "" : "-" + std::to_string(s);
      output.files["BIJOutputSet" + number + ".jsonl"] =
          std::make_shared<const std::string>(std::move(file));
    }
    std::string errors;
    for (const std::string& error : errors_) errors += error + "\n";
    output.files["error-data"] = std::make_shared<const std::string>(std::move(errors));
  }

  World world_;
  Job& job_;
  std::vector<Line> lines_;
  std::vector<std::string> errors_;
  std::vector<std::uint64_t> paid_;
};

}  // namespace

std::string read_rows(const std::string& file_name, const std::string& bytes,
                      const std::string& model, const JobParameters& parameters,
                      std::vector<BatchRow>& rows) {
  std::unordered_set<std::string> ids;
  for (const BatchRow& row : rows) ids.insert(row.custom_id);
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view text(bytes.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (text.empty()) continue;
    BatchRow row;
    const Json line = Json::parse(text.begin(), text.end(), nullptr, false);
    std::string problem =
        line.is_discarded() ? "invalid JSON" : read_row(line, model, parameters, row);
    if (problem.empty() && !ids.insert(row.custom_id).second) {
      problem = "duplicate custom_id " + row.custom_id;
    }
    if (!problem.empty()) {
      return "Dataset has a syntax error: chat dataset validation failed on " + file_name + ":" +
             std::to_string(number) + ": " + problem;
    }
    rows.push_back(std::move(row));
  }
  return "";
}

void write_results(World world, Job& job, Dataset& output) { Writer(world, job).write(output); }

}  // namespace promptsweep::emulator
