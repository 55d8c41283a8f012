// SPDX-License-Identifier: Apache-2.0
// The options of a fireworks instance, and their JSON Schema.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fireworks {

// What becomes of datasets and jobs at the provider once their results are stored here.
enum class Cleanup { after_success, keep, always };

struct Options {
  std::string account_id;
  std::string model;  // resource name, accounts/ACCOUNT/models/NAME
  std::string base_url = "https://api.fireworks.ai";
  bool realtime = false;
  std::string precision;  // of a batch job; empty: the provider's choice
  std::uint32_t max_concurrent_requests = 64;
  std::uint32_t max_concurrent_jobs = 4;
  double poll_s = 15, poll_max_s = 60;
  double deadline_h = 26;
  double retry_after_max_s = 300;
  std::uint32_t max_continuations = 2;
  std::uint64_t upload_limit_bytes = 150ull * 1024 * 1024;
  std::uint32_t timeout_s = 600;
  Cleanup cleanup = Cleanup::after_success;
};

// Throws psw::Error(PSW_E_CONFIG) whose text begins with a JSON pointer.
Options parse_options(std::string_view config_json);

// "name", "accounts/a/models/name" and "accounts/a/deployedModels/name" as accounts/A/models/NAME.
// A bare name is one of the provider's own models. Empty: no such form.
std::string model_resource(std::string_view name);

inline constexpr char options_schema[] = R"json({
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "Options of the Fireworks backend",
"type": "object",
"additionalProperties": false,
"required": ["account_id", "model"],
"properties": {
  "account_id": {"type": "string", "minLength": 1, "x-env": "FIREWORKS_ACCOUNT_ID",
                 "description": "The account's slug (not an e-mail address) under which datasets and jobs are made."},
  "model": {"type": "string", "minLength": 1, "x-role": "model", "x-changes-answers": true,
            "description": "Model of the provider: a bare name or accounts/ACCOUNT/models/NAME."},
  "base_url": {"type": "string", "minLength": 1, "default": "https://api.fireworks.ai",
               "description": "Where the service is; for tests and proxies."},
  "mode": {"enum": ["batch", "realtime"], "default": "batch", "x-changes-numerics": true,
           "description": "batch: jobs at half the price that take minutes to hours; realtime: one request an answer."},
  "precision": {"enum": ["FP16", "FP8", "FP8_MM", "FP8_AR", "FP8_MM_KV_ATTN", "FP8_KV", "FP8_MM_V2", "FP8_V2",
                         "FP8_MM_KV_ATTN_V2", "NF4", "FP4", "BF16", "FP4_BLOCKSCALED_MM", "FP4_MX_MOE"],
                "x-changes-answers": true,
                "description": "Precision of batch jobs; absent: the provider chooses one for the model."},
  "max_concurrent_requests": {"type": "integer", "minimum": 1, "maximum": 4096, "default": 64,
                              "x-changes-numerics": true, "x-role": "parallelism",
                              "description": "Requests in flight at most in realtime mode; adapts downward to what the service bears."},
  "max_concurrent_jobs": {"type": "integer", "minimum": 1, "maximum": 64, "default": 4,
                          "description": "Batch jobs of this instance at the provider at once."},
  "poll_s": {"type": "number", "minimum": 0.01, "maximum": 3600, "default": 15,
             "description": "Seconds between the first questions after a batch job's state."},
  "poll_max_s": {"type": "number", "minimum": 0.01, "maximum": 3600, "default": 60,
                 "description": "Seconds between questions after a while; at least poll_s."},
  "deadline_h": {"type": "number", "minimum": 0.0001, "maximum": 240, "default": 26,
                 "description": "Hours after which a batch job that has not ended is cancelled; jobs expire by themselves after 24."},
  "retry_after_max_s": {"type": "number", "minimum": 0.01, "maximum": 86400, "default": 300,
                        "description": "Seconds that a wish of the provider to be asked again later is obeyed at most."},
  "max_continuations": {"type": "integer", "minimum": 0, "maximum": 16, "default": 2,
                        "description": "How often the unfinished rows of an expired batch job are continued in a further job."},
  "upload_limit_bytes": {"type": "integer", "minimum": 1, "maximum": 524288000, "default": 157286400,
                         "description": "Request files above this size go to a signed URL instead of through the service."},
  "timeout_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 600,
                "description": "Seconds that one attempt of a call may take, files apart; questions after a job never take more than 60."},
  "cleanup": {"enum": ["after_success", "keep", "always"], "default": "after_success",
              "description": "Which remote datasets and jobs are deleted once their results are stored here: those of jobs whose every row was answered, none, or all."}
}
})json";

}  // namespace fireworks
