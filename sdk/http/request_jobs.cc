// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace psw {
namespace http {
namespace {

// How long a stop may go unseen: the host has no signal for it.
constexpr std::chrono::milliseconds look_for_stop{20};

// What the client's thread hands over. It outlives the job's call where the last notification is
// still under way.
class Mailbox {
 public:
  struct Event {
    std::uint64_t index = 0;
    std::optional<Reply> reply;  // nullopt: its bytes are being sent
  };

  void put(Event event) {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Nobody has to wake up to learn that something begins.
    const bool wake = event.reply.has_value();
    events_.push_back(std::move(event));
    if (wake) changed_.notify_one();
  }

  // Everything that came, after waiting for something at most `wait`. `into` is empty.
  void take(std::deque<Event>& into, std::chrono::milliseconds wait) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (events_.empty()) changed_.wait_for(lock, wait);
    into.swap(events_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
};

struct Sent {
  psw::Request line;
  Ticket ticket = 0;
};

class RequestJob {
 public:
  RequestJob(Client& client, Service& service, const psw::Job& job, std::size_t max_in_flight)
      : client_(client),
        service_(service),
        job_(job),
        most_(std::max<std::size_t>(1, max_in_flight)),
        mailbox_(std::make_shared<Mailbox>()) {}

  void run() {
    try {
      send_and_answer();
    } catch (...) {
      // Whatever was thrown, the client must not keep callbacks into what ends here.
      cancel_all();
      collect_rest();
      throw;
    }
    if (end_) throw *end_;
  }

 private:
  void send_and_answer() {
    fill_up();
    while (!sent_.empty()) {
      if (job_.stopping()) {
        cancel_all();
        collect_rest();
        return;
      }
      if (arrived_.empty()) mailbox_->take(arrived_, look_for_stop);
      while (!arrived_.empty() && !job_.stopping()) {
        handle_first();
        fill_up();  // one by one, so that the server never waits for a batch of answers
      }
    }
  }

  void fill_up() {
    while (!end_ && !read_all_ && sent_.size() < most_ && !job_.stopping()) {
      psw::Request line;
      if (!job_.read(line)) {
        read_all_ = true;
        return;
      }
      send(std::move(line));
    }
  }

  void send(psw::Request line) {
    std::optional<Request> request = encode(line);
    if (!request) return;
    const std::uint64_t index = line.index;
    if (!request->judge)
      request->judge = [this](const Reply& reply) { return service_.judge(reply); };
    request->on_first_send = [mailbox = mailbox_, index] { mailbox->put({index, std::nullopt}); };
    // In the table first: the reply may be there before start() returns.
    Sent& sent = sent_.emplace(index, Sent{std::move(line), 0}).first->second;
    try {
      sent.ticket = client_.start(std::move(*request), [mailbox = mailbox_, index](Reply reply) {
        mailbox->put({index, std::move(reply)});
      });
    } catch (...) {
      sent_.erase(index);  // it was not taken, so no Done will come
      throw;
    }
  }

  // nullopt: the line has its record, or the job ends.
  std::optional<Request> encode(const psw::Request& line) {
    try {
      return service_.encode(line);
    } catch (const JobEnds& error) {
      end_with(line, error, {});
    } catch (const NotSent& error) {
      fail(line, failed_record(error.outcome, error.code, error.text), {});
    } catch (const psw::Error& error) {
      fail(line, failed_record(PSW_OUTCOME_ERROR_REQUEST, error.code, error.text), {});
    } catch (const std::exception& error) {
      fail(line, failed_record(PSW_OUTCOME_ERROR_BACKEND, PSW_E_INTERNAL, error.what()), {});
    }
    return std::nullopt;
  }

  void handle_first() {
    const Mailbox::Event event = std::move(arrived_.front());
    arrived_.pop_front();
    const auto found = sent_.find(event.index);
    if (found == sent_.end()) return;
    if (!event.reply) {
      job_.begin(found->second.line);
      return;
    }
    const psw::Request line = std::move(found->second.line);
    sent_.erase(found);
    answer(line, *event.reply);
  }

  void answer(const psw::Request& line, const Reply& reply) {
    const Times times{reply.started_unix_us, reply.finished_unix_us, reply.attempts};
    if (reply.failure == Failure::cancelled) {
      fail(line,
           failed_record(PSW_OUTCOME_CANCELLED, PSW_E_CANCELLED, "cancelled before it finished"),
           times);
      return;
    }
    try {
      Record record = service_.decode(line, reply);
      if (record.outcome <= PSW_OUTCOME_FILTERED) {
        job_.deliver(line, std::move(record.body_json), record.outcome, record.usage, times);
      } else {
        fail(line, std::move(record), times);
      }
    } catch (const JobEnds& error) {
      end_with(line, error, times);
    } catch (const psw::Error& error) {
      fail(line, failed_record(PSW_OUTCOME_ERROR_BACKEND, error.code, error.text), times);
    } catch (const std::exception& error) {
      fail(line, failed_record(PSW_OUTCOME_ERROR_BACKEND, PSW_E_INTERNAL, error.what()), times);
    }
  }

  void end_with(const psw::Request& line, const JobEnds& error, const Times& times) {
    fail(line, failed_record(PSW_OUTCOME_ERROR_BACKEND, error.code, error.text), times);
    if (end_) return;
    end_ = error;
    job_.stage(error.text);  // what people see of a failed job
  }

  void fail(const psw::Request& line, Record record, const Times& times) {
    job_.fail(line, record.outcome, record.code, std::move(record.body_json), record.usage, times);
  }

  void cancel_all() {
    for (const auto& [index, sent] : sent_) client_.cancel(sent.ticket);
  }
  void collect_rest() {
    while (!sent_.empty()) {
      if (arrived_.empty()) mailbox_->take(arrived_, look_for_stop);
      while (!arrived_.empty()) handle_first();
    }
  }

  Client& client_;
  Service& service_;
  const psw::Job& job_;
  const std::size_t most_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<std::uint64_t, Sent> sent_;  // at the client, in the mailbox or in arrived_
  std::deque<Mailbox::Event> arrived_;
  bool read_all_ = false;
  std::optional<JobEnds> end_;
};

}  // namespace

void run_requests(Client& client, Service& service, const psw::Job& job,
                  std::size_t max_in_flight) {
  RequestJob(client, service, job, max_in_flight).run();
}

}  // namespace http
}  // namespace psw
