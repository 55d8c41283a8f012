// SPDX-License-Identifier: Apache-2.0
// JSON Schema draft 7 of the options, with the marks that the core reads.
#pragma once

namespace echo {

inline constexpr char options_schema[] = R"json({
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "Options of the echo backend",
"type": "object",
"additionalProperties": false,)json"
#if ECHO_REMOTE
                                         R"json(
"required": ["remote_folder"],
"properties": {
  "remote_folder": {"type": "string", "minLength": 1},
  "remote_speed": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0},
  "remote_queue_ms": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0},
  "remote_max_jobs": {"type": "integer", "minimum": 0, "default": 0},
  "remote_failures": {"type": "array", "items": {
    "type": "object",
    "additionalProperties": false,
    "required": ["kind"],
    "properties": {
      "kind": {"enum": ["kill_before_create", "kill_after_create", "kill_after_checkpoint",
                        "kill_before_results", "create_refused", "expire", "cancel", "fail"]},
      "times": {"type": "integer", "minimum": 0, "default": 0},
      "job": {"type": "integer", "minimum": 1},
      "after": {"type": "integer", "minimum": 0}
    }}},)json"
#else
                                         R"json(
"properties": {)json"
#endif
                                         R"json(
  "mode": {"enum": ["echo", "policy"], "default": "echo", "x-changes-answers": true},
  "answer_from": {"enum": ["content", "request_id"], "default": "content", "x-changes-answers": true},
  "style": {"enum": ["plain", "shout", "brief"], "default": "plain", "x-changes-answers": true},
  "abstain_share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5, "x-changes-answers": true},
  "guess_abstain_share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.05, "x-changes-answers": true},
  "accuracy": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5, "x-changes-answers": true},
  "answers_file": {"type": "string", "x-changes-answers": true},
  "refusal": {"type": "string", "default": "I don't know.", "x-changes-answers": true},
  "n_parallel": {"type": "integer", "minimum": 1, "maximum": 256, "default": 1,
                 "x-changes-numerics": true, "x-role": "parallelism"},
  "max_parallel": {"type": "integer", "minimum": 0, "default": 0},
  "delay_ms": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0},
  "jitter_ms": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0},
  "jitter_seed": {"type": "integer", "minimum": 0, "default": 0},
  "create_delay_ms": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0},
  "create_error": {"enum": ["none", "resource", "auth", "abort"], "default": "none"},
  "ram_bytes": {"type": "integer", "minimum": 0, "default": 0},
  "vram_bytes": {"type": "integer", "minimum": 0, "default": 0},
  "state_folder": {"type": "string"},
  "event_log": {"type": "string"},
  "label": {"type": "string"},
  "use_secret": {"type": "boolean", "default": false},
  "failures": {"type": "array", "items": {
    "type": "object",
    "additionalProperties": false,
    "required": ["kind"],
    "oneOf": [{"required": ["request_id"]}, {"required": ["contains"]}, {"required": ["index"]},
              {"required": ["every"]}, {"required": ["nth"]}],
    "properties": {
      "kind": {"enum": ["error_backend", "error_timeout", "error_request", "prompt_truncated",
                        "truncated", "empty", "filtered", )json"
#if ECHO_REMOTE
                                         R"json("lose", "duplicate"]},)json"
#else
                                         R"json("abort", "kill", "stall", "hang"]},)json"
#endif
                                         R"json(
      "request_id": {"type": "string"},
      "contains": {"type": "string", "minLength": 1},
      "index": {"type": "integer", "minimum": 0},
      "every": {"type": "integer", "minimum": 1},
      "nth": {"type": "integer", "minimum": 1},
      "times": {"type": "integer", "minimum": 0, "default": 0}
    }}}
}})json";

}  // namespace echo
