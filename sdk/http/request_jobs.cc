// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace psw {
namespace http {
namespace {

// How long a stop may go unseen: the host has no signal for it.
constexpr std::chrono::milliseconds look_for_stop{20};

// What the client's thread hands over. Lines go by the number of their place in the job's table.
struct Handed {
  std::vector<std::size_t> begun;  // their bytes are being sent
  std::vector<std::pair<std::size_t, Reply>> replies;
};

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  void put_begun(std::size_t place) {
    const std::lock_guard<std::mutex> lock(mutex_);
    handed_.begun.push_back(place);  // nobody has to wake up to learn that something begins
  }
  void put_reply(std::size_t place, Reply reply) {
    std::shared_ptr<Mailbox> kept;  // the job may end as soon as it has its last reply
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      handed_.replies.emplace_back(place, std::move(reply));
      if (std::exchange(waits_, false)) kept = shared_from_this();
    }
    // Not under the lock, where who wakes up would have to wait again.
    if (kept) kept->changed_.notify_one();
  }

  // Everything that came, after waiting for a reply at most `wait`. `into` is empty; its memory is
  // used for what comes next.
  void take(Handed& into, std::chrono::milliseconds wait) {
    std::unique_lock<std::mutex> lock(mutex_);
    waits_ = handed_.replies.empty() && handed_.begun.empty();
    if (waits_) changed_.wait_for(lock, wait);
    waits_ = false;
    std::swap(into, handed_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Handed handed_;
  bool waits_ = false;
};

// A place for one line that is at the client, in the mailbox or in what was taken from it. The next
// line uses the memory of the one before.
struct Place {
  psw::Request line;
  Ticket ticket = 0;
  bool taken = false;
};

class RequestJob {
 public:
  RequestJob(Client& client, Service& service, const psw::Job& job, std::size_t max_in_flight)
      : client_(client),
        service_(service),
        job_(job),
        most_(std::max<std::size_t>(1, max_in_flight)) {}

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
    while (at_client_ > 0) {
      if (job_.stopping()) {
        cancel_all();
        collect_rest();
        return;
      }
      if (!take_next()) continue;
      answer_next();
      fill_up();  // one by one, so that the server never waits for a batch of answers
    }
  }

  // False: no reply came for a while. Lines that began are told of before any reply is answered.
  bool take_next() {
    if (next_reply_ == handed_.replies.size()) {
      handed_.replies.clear();
      handed_.begun.clear();
      next_reply_ = next_begun_ = 0;
      mailbox_->take(handed_, look_for_stop);
    }
    while (next_begun_ < handed_.begun.size()) {
      job_.begin(places_[handed_.begun[next_begun_++]].line);
    }
    return next_reply_ < handed_.replies.size();
  }

  void answer_next() {
    auto& [place, handed] = handed_.replies[next_reply_++];
    const Reply reply = std::move(handed);
    // The place is free before anything can be thrown.
    std::swap(answered_, places_[place].line);
    free(place);
    answer(answered_, reply);
  }

  void fill_up() {
    while (!end_ && !read_all_ && at_client_ < most_ && !job_.stopping()) {
      if (!job_.read(next_)) {
        read_all_ = true;
        return;
      }
      send_next();
    }
  }

  void send_next() {
    std::optional<Request> request = encode(next_);
    if (!request) return;
    const std::size_t place = take_place();
    std::swap(places_[place].line, next_);
    // Two words each: they fit into a function without memory of its own.
    if (!request->judge) {
      request->judge = [this](const Reply& reply) { return service_.judge(reply); };
    }
    request->on_first_send = [this, place] { mailbox_->put_begun(place); };
    try {
      places_[place].ticket = client_.start(std::move(*request), [this, place](Reply reply) {
        mailbox_->put_reply(place, std::move(reply));
      });
    } catch (...) {
      free(place);  // it was not taken, so no Done will come
      throw;
    }
  }

  std::size_t take_place() {
    if (free_.empty()) {
      places_.emplace_back();
      free_.reserve(places_.capacity());  // so that free() cannot fail
      free_.push_back(places_.size() - 1);
    }
    const std::size_t place = free_.back();
    free_.pop_back();
    places_[place].taken = true;
    ++at_client_;
    return place;
  }

  void free(std::size_t place) {
    places_[place].taken = false;
    free_.push_back(place);
    --at_client_;
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
    for (const Place& place : places_) {
      if (place.taken) client_.cancel(place.ticket);
    }
  }
  void collect_rest() {
    while (at_client_ > 0) {
      if (take_next()) answer_next();
    }
  }

  Client& client_;
  Service& service_;
  const psw::Job& job_;
  const std::size_t most_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::vector<Place> places_;
  std::vector<std::size_t> free_;  // of places_
  std::size_t at_client_ = 0;      // places that are taken
  Handed handed_;
  std::size_t next_begun_ = 0, next_reply_ = 0;  // of handed_
  psw::Request next_, answered_;
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
