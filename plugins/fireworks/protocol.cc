// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <promptsweep/http/error_body.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "ids.h"
#include "numbers.h"

namespace fireworks {
namespace {

using nlohmann::json;

[[noreturn]] void nonsense(const std::string& what) {
  throw psw::Error(PSW_E_DATA, "the provider's description of " + what + " is not readable");
}

json parse_object(std::string_view body, const char* what) {
  json object = json::parse(body, nullptr, false);
  if (!object.is_object()) nonsense(what);
  return object;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const json& object_of(const json& object, const char* key) {
  static const json none = json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : none;
}

std::string without(std::string_view prefix, std::string text) {
  const std::size_t at = text.find(prefix);
  return at == 0 ? text.substr(prefix.size()) : text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return out;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Came came_of_bad_request(std::string_view message, const std::string& code) {
  if (has(message, "job-submission-count")) return Came::quota;
  if (has(message, "unknown field") || has(message, "unknown name")) return Came::unknown_field;
  if (has(message, "already uploaded")) return Came::already_uploaded;
  if (code == "6" || code == "already_exists" || has(message, "already exists"))
    return Came::exists;
  if (code == "9" || code == "failed_precondition") return Came::settling;
  return Came::refused;
}

// A 404 of a proxy or a wrong path proves nothing about a job.
bool says_absent(const http::Reply& reply, std::string_view message, const std::string& code) {
  if (!json::parse(reply.body, nullptr, false).is_object()) return false;
  return code == "5" || code == "not_found" || has(message, "not found");
}

}  // namespace

Came came_of(const http::Reply& reply) {
  if (reply.failure == http::Failure::cancelled) return Came::cancelled;
  if (!reply.arrived()) return Came::unclear;
  if (reply.good()) return Came::good;
  const psw::http::ErrorBody error = psw::http::parse_error_body(reply.body);
  const std::string message = lower(error.message), code = lower(error.code);
  switch (reply.status) {
    case 400:
      return came_of_bad_request(message, code);
    case 401:
    case 403:
      return Came::denied;
    case 404:
      return says_absent(reply, message, code) ? Came::absent : Came::unclear;
    case 409:
      return Came::exists;
    case 429:
      return has(message, "job-submission-count") ? Came::quota : Came::unclear;
    case 408:
    case 425:
      return Came::unclear;
    default:
      return reply.status >= 500 || reply.status < 300 ? Came::unclear : Came::refused;
  }
}

// ---- jobs -------------------------------------------------------------------------------------

Phase phase_of(std::string_view state) {
  if (has(state, "COMPLETED")) return Phase::completed;
  if (has(state, "EXPIRED") || has(state, "EARLY_STOPPED")) return Phase::partial;
  if (has(state, "FAILED")) return Phase::failed;
  if (has(state, "CANCELLED") || has(state, "CANCELED")) return Phase::cancelled;
  if (has(state, "DELETING")) return Phase::deleting;
  return Phase::active;
}

bool is_known_state(std::string_view state) {
  if (phase_of(state) != Phase::active) return true;
  static constexpr std::array<std::string_view, 11> active{
      "UNSPECIFIED", "CREATING_INPUT_DATASET", "CREATING",    "VALIDATING", "PENDING",
      "RUNNING",     "WRITING_RESULTS",        "RE_QUEUEING", "CANCELLING", "IDLE",
      "PAUSED"};
  return std::find(active.begin(), active.end(), state) != active.end();
}

JobView parse_job(std::string_view body) {
  const json object = parse_object(body, "a job");
  JobView view;
  view.state = without("JOB_STATE_", text_of(object, "state"));
  // A field that has its default may be left out.
  if (view.state.empty() && !object.contains("name")) nonsense("a job");
  if (view.state.empty()) view.state = "UNSPECIFIED";
  view.phase = phase_of(view.state);
  view.model = text_of(object, "model");
  view.input_dataset = last_segment(text_of(object, "inputDatasetId"));
  view.output_dataset = last_segment(text_of(object, "outputDatasetId"));
  const json& status = object_of(object, "status");
  view.status_code = text_of(status, "code");
  view.status_message = text_of(status, "message");
  view.created_unix_ms = parse_time(text_of(object, "createTime"));
  const json& progress = object_of(object, "jobProgress");
  view.total = count_in(progress, "totalInputRequests").value_or(0);
  const std::uint64_t succeeded = count_in(progress, "successfullyProcessedRequests").value_or(0);
  const std::uint64_t failed = count_in(progress, "failedRequests").value_or(0);
  view.processed =
      std::max(count_in(progress, "totalProcessedRequests").value_or(0), succeeded + failed);
  return view;
}

std::optional<JobView> job_in(const http::Reply& reply) {
  if (came_of(reply) != Came::good) return std::nullopt;
  try {
    return parse_job(reply.body);
  } catch (const psw::Error&) {
    return std::nullopt;
  }
}

std::string job_body(const NewJob& job) {
  json body{{"model", job.model},
            {"inputDatasetId", "accounts/" + job.account_id + "/datasets/" + job.dataset_id},
            {"displayName", job.display_name}};
  if (!job.precision.empty()) body["precision"] = job.precision;
  return body.dump();
}

std::string continuation_body(const std::string& account_id, const std::string& from_job_id,
                              const std::string& display_name) {
  return json{
      {"continuedFromJobName", "accounts/" + account_id + "/batchInferenceJobs/" + from_job_id},
      {"displayName", display_name}}
      .dump();
}

// ---- datasets ---------------------------------------------------------------------------------

DatasetView parse_dataset(std::string_view body) {
  const json object = parse_object(body, "a dataset");
  DatasetView view;
  view.state = without("STATE_", without("DATASET_", text_of(object, "state")));
  if (view.state.empty() && !object.contains("name")) nonsense("a dataset");
  const json& status = object_of(object, "status");
  const std::string code = text_of(status, "code");
  view.ready = has(view.state, "READY");
  view.broken = has(view.state, "FAILED") || (!view.ready && !code.empty() && code != "OK");
  view.example_count = count_in(object, "exampleCount");
  if (!view.example_count) view.example_count = count_in(object, "example_count");
  view.status_message = text_of(status, "message");
  return view;
}

std::string dataset_body(const std::string& id, const std::string& display_name,
                         std::uint64_t example_count, bool snake_case) {
  const char* count = snake_case ? "example_count" : "exampleCount";
  // 64-bit numbers are strings in proto3 JSON.
  return json{{"datasetId", id},
              {"dataset",
               {{"displayName", display_name},
                {"userUploaded", json::object()},
                {"format", "CHAT"},
                {count, std::to_string(example_count)}}}}
      .dump();
}

std::string upload_endpoint_body(const std::string& filename, std::uint64_t bytes) {
  return json{{"filenameToSize", {{filename, std::to_string(bytes)}}}}.dump();
}

// ---- signed URLs ------------------------------------------------------------------------------

std::vector<SignedFile> parse_signed_files(std::string_view body) {
  const json object = parse_object(body, "its files");
  // Absent where there is none.
  const json& urls = object_of(object, "filenameToSignedUrls");
  std::vector<SignedFile> out;
  for (const auto& [path, url] : urls.items()) {
    if (!url.is_string() || url.get_ref<const std::string&>().empty()) nonsense("its files");
    SignedFile file{last_segment(path), url.get<std::string>(), false, path};
    file.errors = has(lower(file.name), "error");
    out.push_back(std::move(file));
  }
  return out;
}

std::vector<http::Header> signed_headers(std::string_view url, std::uint64_t bytes) {
  const std::size_t query = url.find('?');
  if (query == std::string_view::npos) return {};
  const std::string all = lower(url.substr(query));
  const std::size_t at = all.find("signedheaders=");
  if (at == std::string::npos) return {};
  const std::string names = all.substr(at, all.find('&', at) - at);
  std::vector<http::Header> out;
  if (has(names, "content-type")) out.push_back({"Content-Type", "application/octet-stream"});
  if (has(names, "x-goog-content-length-range")) {
    const std::string size = std::to_string(bytes);
    out.push_back({"x-goog-content-length-range", size + "," + size});
  }
  return out;
}

// ---- times ------------------------------------------------------------------------------------

std::int64_t parse_time(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t length) -> int {
    int value = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2), hour = number(11, 2),
            minute = number(14, 2), second = number(17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || minute < 0 ||
      second < 0) {
    return 0;
  }
  // Days since 1970-01-01 of the Gregorian calendar, counted from March so that a leap day is last.
  const int shifted = month <= 2 ? year - 1 : year;
  const int era = shifted / 400, of_era = shifted % 400;
  const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t days =
      std::int64_t{era} * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  std::int64_t minutes_east = 0;
  const std::size_t zone = text.find_first_of("Zz+-", 19);
  if (zone != std::string_view::npos && (text[zone] == '+' || text[zone] == '-')) {
    const int hours = number(zone + 1, 2), minutes = number(zone + 4, 2);
    if (hours < 0 || minutes < 0) return 0;
    minutes_east = (text[zone] == '-' ? -1 : 1) * (hours * 60 + minutes);
  }
  return (((days * 24 + hour) * 60 + minute - minutes_east) * 60 + second) * 1000;
}

}  // namespace fireworks
