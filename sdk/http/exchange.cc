// SPDX-License-Identifier: Apache-2.0
//
// The way of one request: queued, sent, judged, perhaps sent again, settled on disk, done.
#include "exchange.h"

#include <promptsweep/http/retry.h>

#include <algorithm>
#include <promptsweep/backend.hpp>

#include "settle_file.h"
#include "text.h"

namespace psw {
namespace http {
namespace {

bool says_it_did_not_act(const Reply& reply) {
  return reply.arrived() && (reply.status == 429 || reply.status == 503);
}

void remove_quietly(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace

Reply Client::Engine::refused(Failure failure, std::string text) {
  Reply reply;
  reply.failure = failure;
  reply.failure_text = std::move(text);
  reply.started_unix_us = reply.finished_unix_us = psw::unix_us_now();
  return reply;
}

void Client::Engine::accept(std::unique_ptr<Exchange> exchange) {
  Exchange& accepted = *exchange;
  exchanges_.emplace(accepted.ticket, std::move(exchange));
  if (stopping_) {
    cancel_now(accepted);
  } else if (accepted.request.paced) {
    queue_.push_back(accepted.ticket);
  } else {
    send(accepted, std::chrono::steady_clock::now());
  }
}

void Client::Engine::send(Exchange& exchange, Time now) {
  exchange.so_far.state = Exchange::State::active;
  ++exchange.so_far.attempts;
  attempts_.fetch_add(1, std::memory_order_relaxed);
  ++active_;
  if (exchange.request.paced) ++in_flight_;
  exchange.attempt = take_attempt();
  exchange.attempt->owner = &exchange;
  exchange.so_far.sent_at = now;
  AttemptOf of;
  of.request = &exchange.request;
  of.acted_before = exchange.so_far.acted_before;
  if (!exchange.request.save_to.empty()) {
    of.partial = exchange.request.save_to.string() + "." + std::to_string(random_()) + ".part";
  }
  of.on_send = [this, &exchange] { on_send(exchange); };
  const bool begun = exchange.attempt->begin(std::move(of), options_, now);
  if (!begun) return attempt_ended(exchange, CURLE_ABORTED_BY_CALLBACK);
  const CURLMcode added = curl_multi_add_handle(multi_, exchange.attempt->easy());
  if (added != CURLM_OK) attempt_ended(exchange, CURLE_OUT_OF_MEMORY);
}

void Client::Engine::on_send(Exchange& exchange) {
  exchange.so_far.sent_at = exchange.attempt->sent_at();
  if (exchange.attempt->sends() > 1) {
    ++exchange.so_far.attempts;
    attempts_.fetch_add(1, std::memory_order_relaxed);
  }
  if (exchange.so_far.sent_before) return;
  exchange.so_far.sent_before = true;
  if (!exchange.request.on_first_send) return;
  if (!without_exceptions(exchange.request.on_first_send)) {
    log(PSW_LOG_ERROR, "what was to be told of a request's sending failed");
  }
}

// Ends the attempt under way: its reply is taken and its handle is free for the next.
Reply Client::Engine::take_back(Exchange& exchange, CURLcode code) {
  std::unique_ptr<Attempt> attempt = std::move(exchange.attempt);
  curl_multi_remove_handle(multi_, attempt->easy());
  --active_;
  if (exchange.request.paced) --in_flight_;
  const bool sent = attempt->sends() > 0;
  exchange.so_far.partial = attempt->partial();
  Reply reply = attempt->end(code);
  exchange.so_far.ended_at = attempt->ended_at();
  reply.attempts = exchange.so_far.attempts;
  if (sent) {
    const auto queued = exchange.so_far.sent_at - exchange.started;
    reply.queue_ms = std::chrono::duration<double, std::milli>(queued).count();
  }
  idle_.push_back(std::move(attempt));
  return reply;
}

void Client::Engine::attempt_ended(Exchange& exchange, CURLcode code) {
  Reply reply = take_back(exchange, code);
  const Verdict verdict = judge(exchange, reply);
  tell_pace(exchange, reply, verdict);
  const bool may_repeat =
      exchange.request.repeatable || !reply.may_have_acted || says_it_did_not_act(reply);
  const bool saves = !exchange.so_far.partial.empty() && reply.good();
  if (verdict.kind == Verdict::again && may_repeat && !stopping_ &&
      exchange.so_far.attempts < exchange.request.max_attempts) {
    if (saves) remove_quietly(exchange.so_far.partial);
    return wait_for_retry(exchange, verdict, reply);
  }
  if (saves) return settle(exchange, std::move(reply));
  finish(exchange, std::move(reply));
}

Verdict Client::Engine::judge(const Exchange& exchange, const Reply& reply) {
  Verdict verdict;
  const bool judged = without_exceptions([&] {
    verdict = exchange.request.judge ? exchange.request.judge(reply)
                                     : judge_by_status(reply, exchange.request.repeatable);
  });
  if (!judged) log(PSW_LOG_ERROR, "a reply could not be judged; it is taken as it is");
  return verdict;
}

void Client::Engine::tell_pace(const Exchange& exchange, const Reply& reply,
                               const Verdict& verdict) {
  if (verdict.congested) congested_.fetch_add(1, std::memory_order_relaxed);
  if (!exchange.request.paced) return;
  const Time now = exchange.so_far.ended_at;
  const std::size_t in_flight = in_flight_ + 1;  // with this one
  if (verdict.congested) {
    pace_.congested(exchange.so_far.sent_at, now, in_flight);
  } else if (reply.arrived()) {
    pace_.succeeded(exchange.so_far.sent_at, now, in_flight);
  }
  if (!reply.arrived()) return;
  if (const auto pause = rate_limit_pause(reply, reply.finished_unix_us / 1000)) {
    const Time until = now + std::min(*pause, options_.retry_after_cap);
    paused_until_ = std::max(paused_until_, until);
    pace_.pause_until(until);
  }
}

void Client::Engine::wait_for_retry(Exchange& exchange, const Verdict& verdict,
                                    const Reply& reply) {
  exchange.so_far.acted_before = reply.may_have_acted && !says_it_did_not_act(reply);
  std::uniform_real_distribution<double> jitter(0.75, 1);
  const Milliseconds asked =
      verdict.after ? *verdict.after : backoff(exchange.so_far.attempts - 1, jitter(random_));
  const Milliseconds wait = std::clamp(asked, Milliseconds(0), options_.retry_after_cap);
  exchange.so_far.state = Exchange::State::waits_to_retry;
  exchange.so_far.wake = wakes_.emplace(std::chrono::steady_clock::now() + wait, exchange.ticket);
  if (!options_.log) return;
  const std::string why =
      reply.arrived() ? "status " + std::to_string(reply.status) : reply.failure_text;
  log(PSW_LOG_DEBUG, exchange.request.method + " " + shown_url(exchange.request.url) +
                         ": attempt " + std::to_string(exchange.so_far.attempts) + ": " + why +
                         "; again in " + std::to_string(wait.count()) + " ms");
}

// The disk may take its time: another thread waits for it.
void Client::Engine::settle(Exchange& exchange, Reply reply) {
  if (!settler_) settler_.emplace();
  exchange.so_far.state = Exchange::State::settling;
  exchange.so_far.abandoned = std::make_shared<std::atomic<bool>>(false);
  settler_->post([this, abandoned = exchange.so_far.abandoned, ticket = exchange.ticket,
                  from = exchange.so_far.partial, to = exchange.request.save_to,
                  reply = std::move(reply)]() mutable {
    std::string why;
    if (!*abandoned) why = settle_file(from, to);
    remove_quietly(from);
    if (!why.empty()) {
      reply.failure = Failure::local;
      reply.failure_text = std::move(why);
    }
    Word word;
    word.ticket = ticket;
    word.settled = std::make_unique<Reply>(std::move(reply));
    const std::lock_guard<std::mutex> lock(mutex_);
    leave(std::move(word), true);
  });
}

void Client::Engine::cancel_now(Exchange& exchange) {
  Reply reply;
  switch (exchange.so_far.state) {
    case Exchange::State::active:
      reply = take_back(exchange, CURLE_ABORTED_BY_CALLBACK);
      reply.status = 0;
      reply.headers.clear();
      reply.body.clear();
      break;
    case Exchange::State::waits_to_retry:
      wakes_.erase(exchange.so_far.wake);
      break;
    case Exchange::State::settling:
      *exchange.so_far.abandoned = true;
      reply.may_have_acted = true;
      break;
    case Exchange::State::queued:
      break;
  }
  reply.failure = Failure::cancelled;
  reply.failure_text = "cancelled";
  reply.attempts = exchange.so_far.attempts;
  reply.may_have_acted = reply.may_have_acted || exchange.so_far.acted_before;
  if (reply.finished_unix_us == 0) {
    reply.started_unix_us = reply.finished_unix_us = psw::unix_us_now();
  }
  finish(exchange, std::move(reply));
}

void Client::Engine::finish(Exchange& exchange, Reply reply) {
  const auto found = exchanges_.find(exchange.ticket);
  ended_.push_back({std::move(found->second), std::move(reply)});
  exchanges_.erase(found);
}

}  // namespace http
}  // namespace psw
