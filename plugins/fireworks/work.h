// SPDX-License-Identifier: Apache-2.0
// The two sides of a batch job: the host's job, and the wire. Interfaces, so that a job's whole
// life can be played in a test with canned replies and without time passing.
#pragma once

#include <promptsweep/http/client.h>

#include <cstdint>
#include <functional>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>

namespace fireworks {

namespace http = psw::http;

// As psw::Job, whose words they are.
class Work {
 public:
  virtual ~Work() = default;
  virtual std::uint64_t size() const = 0;
  virtual const std::string& idempotency_key() const = 0;
  virtual const std::string& resume_token() const = 0;
  virtual bool attach_only() const = 0;
  virtual bool read(psw::Request& request) = 0;
  virtual bool deliver(const psw::Request& request, const std::string& body_json,
                       std::int32_t outcome, psw::Usage usage) = 0;
  virtual bool fail(const psw::Request& request, std::int32_t outcome, psw_status code,
                    const std::string& sentence) = 0;
  virtual bool stopping() const = 0;
  virtual bool leaving() const = 0;
  virtual bool sleep(std::uint32_t ms) = 0;  // true: stop now
  virtual void stage(const std::string& text) = 0;
  virtual void progress(std::uint64_t done) = 0;
  virtual void provider_ended(std::int32_t state) = 0;
  virtual void set_remote_may_continue() = 0;
  virtual void leave_open() = 0;
  virtual void checkpoint(const std::string& token) = 0;
  virtual void log(std::int32_t level, const std::string& message) = 0;
  virtual std::int64_t now_unix_ms() const = 0;
};

class Wire {
 public:
  virtual ~Wire() = default;
  virtual http::Reply send(http::Request request, const std::function<bool()>& should_stop) = 0;
};

}  // namespace fireworks
