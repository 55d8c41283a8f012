// SPDX-License-Identifier: Apache-2.0
// Names of what we make at the provider. Whoever holds the same work makes the same names, so that
// a job is found again after any crash, and no two works share one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fireworks {

// All are [a-z0-9-], begin with a letter and are at most 63 long: a word and 40 hexadecimal digits
// of a hash over everything that matters. Nothing is cut off a name, so nothing can collide by it.

// `lines_hash`: of the request lines as they were given, so that another version of this plugin,
// which may write rows differently, still finds the job.
std::string job_id(std::string_view idempotency_key, std::string_view lines_hash);
// The n-th continuation of the job; 0 is the job itself.
std::string continuation_id(const std::string& job_id, std::uint32_t n);
// `rows_hash`: of the bytes that are uploaded. The name vouches for the content.
std::string dataset_id(std::string_view idempotency_key, std::string_view rows_hash);

// The last part of a resource name: "accounts/a/datasets/x" gives "x".
std::string last_segment(std::string_view name);

}  // namespace fireworks
