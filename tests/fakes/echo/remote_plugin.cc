// SPDX-License-Identifier: Apache-2.0
// echo_remote: jobs at a pretend provider. What a plugin for a real batch service has to do, in
// small: attach before creating, tell the token as soon as there is one, leave the job alone when
// the instance ends, cancel it when the job is cancelled.
#include <algorithm>
#include <csignal>
#include <promptsweep/backend.hpp>
#include <unordered_map>

#include "answers.h"
#include "creation.h"
#include "delivery.h"
#include "failures.h"
#include "options.h"
#include "remote.h"
#include "schema.h"

namespace {

using namespace echo;

constexpr std::uint32_t poll_ms = 10;

class EchoRemote {
 public:
  static constexpr bool attaches = true;
  static void validate(std::string_view config) { parse_options(config); }

  EchoRemote(psw::Host host, std::string_view config)
      : options_(with_durable_counts(parse_options(config))),
        answers_(options_),
        failures_(options_),
        remote_(options_) {
    note_event(options_, "create", options_.label);
    load_pretended_model(options_, host);
    secret_hash_ = use_secret(options_, host);
  }

  ~EchoRemote() { note_event(options_, "destroy", options_.label); }

  void run(psw::Job& job) {
    IndexById indexes;
    const std::string id = attach_or_create(job, indexes);
    if (id.empty()) return;  // stopped while it waited for a free place
    job.checkpoint(id);
    if (remote_.meets(RemoteFailureKind::kill_after_checkpoint, id)) std::raise(SIGKILL);
    for (psw::Request request; job.read(request);) indexes[request.request_id] = request.index;
    const RemoteStatus end = wait_for_end(job, id);
    if (!end.ended()) return;  // the instance goes, the remote job runs on
    if (remote_.meets(RemoteFailureKind::kill_before_results, id)) std::raise(SIGKILL);
    if (end.state == RemoteState::failed) {
      throw psw::Error(PSW_E_DATA, "the provider gave the job up (injected)");
    }
    deliver_results(job, id, indexes);
    if (end.state == RemoteState::expired) job.provider_ended(PSW_JOB_EXPIRED);
    if (end.state == RemoteState::cancelled) job.provider_ended(PSW_JOB_CANCELLED);
  }

  std::string identity() { return identity_of(options_, secret_hash_); }
  std::uint64_t count_tokens(std::string_view line) { return prompt_words(line); }
  static psw::Resources estimate(std::string_view config) {
    const Options options = parse_options(config);
    return {options.ram_bytes, options.vram_bytes, "declared by the options"};
  }

 private:
  using IndexById = std::unordered_map<std::string, std::uint64_t>;

  // A remote's failures outlive this process, and so must their counts.
  static Options with_durable_counts(Options options) {
    if (options.state_folder.empty()) options.state_folder = options.remote.folder + "/counts";
    return options;
  }

  std::string attach_or_create(const psw::Job& job, IndexById& indexes) {
    const std::string& key = job.idempotency_key();
    const auto attached = [&](const std::string& id, const char* how) {
      note_event(options_, "attach", id + " by " + how);
      return id;
    };
    if (!job.resume_token().empty() && remote_.holds(job.resume_token(), key)) {
      return attached(job.resume_token(), "token");
    }
    if (const auto id = remote_.find(key)) return attached(*id, "key");
    if (job.attach_only()) throw psw::Error(PSW_E_NOT_FOUND, "the provider has no such job");
    note_event(options_, "submit", options_.label + " " + std::to_string(job.size()));
    const auto next = [&](psw::Request& request) {
      if (!job.read(request)) return false;
      indexes[request.request_id] = request.index;
      return true;
    };
    for (;;) {
      if (const auto id = remote_.create(key, failures_, next)) return *id;
      job.stage("waiting for a free place at the provider");
      if (job.sleep(poll_ms)) return "";
    }
  }

  RemoteStatus wait_for_end(const psw::Job& job, const std::string& id) {
    for (;;) {
      RemoteStatus now = remote_.status(id);
      job.progress(now.done);
      job.stage(id + ": " + std::to_string(now.done) + " of " + std::to_string(now.total));
      if (now.ended() || job.leaving()) return now;
      if (!job.sleep(poll_ms) || job.leaving()) continue;
      remote_.cancel(id);
    }
  }

  void deliver_results(const psw::Job& job, const std::string& id, const IndexById& indexes) {
    remote_.results(id, [&](const RemoteRow& row) {
      const auto asked = indexes.find(row.request.request_id);
      if (asked == indexes.end()) return;  // answered and stored by an earlier incarnation
      psw::Request request = row.request;
      request.index = asked->second;
      psw::Times times;
      times.finished_unix_us = row.finished_unix_us;
      if (row.failure && fail_without_answer(*row.failure, job, request, times)) return;
      Delivery delivery;
      delivery.remote_id = id + "/" + std::to_string(row.request.index);
      delivery.times = times;
      deliver_answer(job, request, answers_.answer(request.request_id, request.line), row.failure,
                     delivery);
    });
  }

  const Options options_;
  const Answers answers_;
  Failures failures_;
  Remote remote_;
  std::string secret_hash_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/0,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/0,
                           /*preferred_requests_per_job=*/0,
                           /*min_poll_ms=*/poll_ms,
                           /*cancel_bound_ms=*/1000,
                           /*create_bound_ms=*/30000,
                           /*destroy_bound_ms=*/2000};

const psw_descriptor descriptor = {
    sizeof(psw_descriptor),
    /*min_host_minor=*/0,
    PSW_LIT(ECHO_ID),
    PSW_LIT("Echo at a pretend provider"),
    PSW_LIT("promptsweep"),
    PSW_LIT("1.0.0"),
    PSW_LIT("Apache-2.0"),
    PSW_CAP_CONCURRENT_JOBS | PSW_CAP_SEEDED | PSW_CAP_RESUME | PSW_CAP_REMOTE,
    &limits,
    PSW_LIT(options_schema),
    PSW_LIT("[\"ECHO_TOKEN\"]")};

}  // namespace

PSW_DEFINE_PLUGIN(EchoRemote, descriptor)
