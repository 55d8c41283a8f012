// SPDX-License-Identifier: Apache-2.0
// Both sides of a batch job for tests: a host's job of a few lines whose clock runs only while it
// sleeps, and a provider that answers each kind of call from a list.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <promptsweep/backend.hpp>
#include <set>
#include <string>
#include <vector>

#include "options.h"
#include "work.h"

namespace fireworks {

class CannedWork : public Work {
 public:
  struct Got {
    std::int32_t outcome = 0;
    psw_status code = PSW_OK;
    std::string body;
  };

  explicit CannedWork(std::size_t count);  // requests r0, r1, ...

  std::uint64_t size() const override { return lines.size(); }
  const std::string& idempotency_key() const override { return key; }
  const std::string& resume_token() const override { return token; }
  bool attach_only() const override { return only_attach; }
  bool read(psw::Request& request) override;
  bool deliver(const psw::Request& request, const std::string& body, std::int32_t outcome,
               psw::Usage usage) override;
  bool fail(const psw::Request& request, std::int32_t outcome, psw_status code,
            const std::string& sentence) override;
  bool stopping() const override { return stopped; }
  bool leaving() const override { return left; }
  bool sleep(std::uint32_t ms) override;
  void stage(const std::string& text) override { stages.insert(text); }
  void progress(std::uint64_t done) override { most_progress = std::max(most_progress, done); }
  void provider_ended(std::int32_t state) override { ended_as = state; }
  void set_remote_may_continue() override { may_continue = true; }
  void leave_open() override { open = true; }
  void checkpoint(const std::string& text) override {
    if (no_checkpoints) throw psw::Error(PSW_E_RESOURCE, "the host refused a checkpoint");
    checkpoints.push_back(text);
  }
  void log(std::int32_t level, const std::string& message) override;
  std::int64_t now_unix_ms() const override { return now_ms; }

  // How many records have this outcome.
  std::size_t count(std::int32_t outcome) const;
  bool said(const std::string& part) const;  // in the log
  bool staged(const std::string& part) const;

  std::vector<std::string> lines;
  std::string key = "key", token;
  bool only_attach = false, no_checkpoints = false;
  std::function<void()> on_sleep;
  bool stopped = false, left = false;

  std::map<std::string, Got> records;
  std::set<std::string> stages;
  std::vector<std::string> checkpoints;
  std::multiset<std::string> warnings;  // and errors
  std::int32_t ended_as = 0;
  bool may_continue = false, open = false;
  std::uint64_t most_progress = 0;
  std::int64_t now_ms = 1'800'000'000'000;
  std::int64_t slept_ms = 0;

 private:
  std::size_t next_ = 0;
};

// A call is known by its method and what it is for: "GET job", "POST job", "GET job-c1", "DELETE
// job", "GET dataset", "POST dataset", "POST dataset:upload", "GET output:getDownloadEndpoint",
// "PUT url", "GET url/NAME" and so on.
class CannedProvider : public Wire {
 public:
  http::Reply send(http::Request request, const std::function<bool()>& should_stop) override;

  // Answers in this order, the last one for ever after.
  void on(const std::string& call, std::vector<http::Reply> replies);
  std::size_t calls(const std::string& call) const;
  const http::Request& last(const std::string& call) const;

  std::vector<std::string> order;

 private:
  std::map<std::string, std::deque<http::Reply>> replies_;
  std::map<std::string, std::vector<http::Request>> requests_;
};

http::Reply reply(int status, const std::string& body = "{}");
http::Reply absent();
http::Reply lost();  // sent, and no reply came
http::Reply job(const std::string& state, const std::string& message = "", int processed = 0);
http::Reply dataset(const std::string& state, int count);
http::Reply files(const std::vector<std::string>& names);
std::string answer_row(const std::string& id, const std::string& text = "yes");
std::string error_row(const std::string& id, int code, const std::string& message);

Options batch_options();

}  // namespace fireworks
