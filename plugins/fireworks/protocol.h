// SPDX-License-Identifier: Apache-2.0
// What the control plane is told and what it says. Pure: JSON in, JSON out.
#pragma once

#include <promptsweep/http/client.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fireworks {

namespace http = psw::http;

// ---- what a call came to ----------------------------------------------------------------------

enum class Came {
  good,
  cancelled,         // by us
  absent,            // the service itself says that there is no such thing; never guessed
  exists,            // already
  quota,             // no place for another job now
  unknown_field,     // it does not know a member of our body
  already_uploaded,  // this dataset has its file
  settling,          // not yet, shortly
  denied,            // the key, or what it may do
  unclear,           // no whole answer, or one that says nothing about what was asked: ask again
  refused,           // for good
};
Came came_of(const http::Reply& reply);

// ---- jobs -------------------------------------------------------------------------------------

enum class Phase {
  active,     // and every state that is not known here
  completed,  // which does not mean that every row succeeded
  partial,    // ended early, what was finished is kept
  failed,
  cancelled,
  deleting,  // will be gone
};
// By parts of the name, so that neither a prefix nor its absence matters.
Phase phase_of(std::string_view state);
bool is_known_state(std::string_view state);

struct JobView {
  std::string state;  // without its prefix; never empty
  Phase phase = Phase::active;
  std::string model;                          // resource name; these may be empty
  std::string input_dataset, output_dataset;  // ids
  std::string status_code, status_message;
  std::int64_t created_unix_ms = 0;  // 0: not said
  std::uint64_t total = 0, processed = 0;
};
// Throws psw::Error(PSW_E_DATA).
JobView parse_job(std::string_view body);
// nullopt: no reply that says how the job is.
std::optional<JobView> job_in(const http::Reply& reply);

struct NewJob {
  std::string account_id, model, dataset_id, display_name, precision;
};
std::string job_body(const NewJob& job);
std::string continuation_body(const std::string& account_id, const std::string& from_job_id,
                              const std::string& display_name);

// ---- datasets ---------------------------------------------------------------------------------

struct DatasetView {
  std::string state;  // without its prefix
  bool ready = false, broken = false;
  std::optional<std::uint64_t> example_count;
  std::string status_message;
};
// Throws psw::Error(PSW_E_DATA).
DatasetView parse_dataset(std::string_view body);

// snake_case: for a service that does not know exampleCount.
std::string dataset_body(const std::string& id, const std::string& display_name,
                         std::uint64_t example_count, bool snake_case);
std::string upload_endpoint_body(const std::string& filename, std::uint64_t bytes);

// ---- signed URLs ------------------------------------------------------------------------------

struct SignedFile {
  std::string name, url;  // name: without folders
  bool errors = false;    // holds rows that failed
  std::string path;       // with folders: shards in several may have one name
};
// In order of their names. Throws psw::Error(PSW_E_DATA).
std::vector<SignedFile> parse_signed_files(std::string_view body);
// The headers that the signature of an upload URL names, and no others.
std::vector<http::Header> signed_headers(std::string_view url, std::uint64_t bytes);

// ---- times ------------------------------------------------------------------------------------

// RFC 3339 to milliseconds since 1970; 0: not readable.
std::int64_t parse_time(std::string_view text);

}  // namespace fireworks
