// SPDX-License-Identifier: Apache-2.0
//
// The thread behind a Client. It sleeps until a socket is ready, a time has come or another thread
// has left word; then it does everything that is due in one turn.
#pragma once

#include <curl/curl.h>
#include <promptsweep/http/client.h>
#include <promptsweep/http/pace.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

#include "attempt.h"
#include "event_loop.h"
#include "worker.h"

namespace psw {
namespace http {

class Client::Engine {
 public:
  explicit Engine(ClientOptions options);
  ~Engine();  // cancels everything and joins

  Ticket start(Request request, Done done);
  void cancel(Ticket ticket);
  Standing standing() const;
  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // A failure that nothing was sent for.
  static Reply refused(Failure failure, std::string text);

 private:
  struct Exchange;  // a request from start() to its Done
  using Wakes = std::multimap<Time, Ticket>;

  // What other threads leave: a request, or the end of a file's settling, or a wish to cancel.
  struct Word {
    Ticket ticket = 0;
    std::unique_ptr<Exchange> started;
    std::unique_ptr<Reply> settled;
  };
  // A request whose Done is still to be called.
  struct Ended {
    std::unique_ptr<Exchange> exchange;
    Reply reply;
  };

  std::unique_ptr<Exchange> take_exchange();
  void leave(Word word, bool is_urgent);

  void work();
  void turn();
  bool take_words(bool may_sleep);
  void end_everything();
  bool run_due_timeouts(Time now);
  void take_finished();
  void wake_retries(Time now);
  void send_what_may(Time now);
  void hand_over();
  Time next_due() const;
  void publish();

  void accept(std::unique_ptr<Exchange> exchange);
  void cancel_now(Exchange& exchange);
  void send(Exchange& exchange, Time now);
  void on_send(Exchange& exchange);
  void attempt_ended(Exchange& exchange, CURLcode code);
  Reply take_back(Exchange& exchange, CURLcode code);
  Verdict judge(const Exchange& exchange, const Reply& reply);
  void tell_pace(const Exchange& exchange, const Reply& reply, const Verdict& verdict);
  void wait_for_retry(Exchange& exchange, const Verdict& verdict, const Reply& reply);
  void settle(Exchange& exchange, Reply reply);
  void finish(Exchange& exchange, Reply reply);
  std::unique_ptr<Attempt> take_attempt();
  void log(std::int32_t level, const std::string& message) const;

  void on_ready(int socket, int flags);
  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*);
  static int on_timer(CURLM*, long ms, void* self);
  static int adopt_socket(void* self, curl_socket_t socket, curlsocktype);
  static int close_socket(void* self, curl_socket_t socket);

  const ClientOptions options_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Word> words_;   // not taken yet
  Ticket next_ticket_ = 1;
  bool asleep_ = false;           // or about to be: what is urgent has to wake the thread
  bool others_wait_ = false;      // as it fell asleep, a paced request waited for a place
  std::size_t started_left_ = 0;  // requests in words_
  std::vector<std::unique_ptr<Exchange>> spare_;

  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> limit_, in_flight_count_{0}, waiting_count_{0};
  std::atomic<std::uint64_t> attempts_{0}, congested_{0};

  // The rest is the thread's alone.
  EventLoop loop_;
  CURLM* multi_;
  Time curl_due_ = Time::max();
  Pace pace_;
  Time paused_until_{};
  std::size_t in_flight_ = 0;  // paced ones
  std::size_t active_ = 0;     // all of them
  std::vector<Word> taken_;
  std::vector<Ended> ended_, handed_over_;
  std::vector<std::unique_ptr<Exchange>> used_;  // spare ones that mutex_ was not yet taken for
  std::unordered_map<Ticket, std::unique_ptr<Exchange>> exchanges_;
  std::deque<Ticket> queue_;  // paced ones that wait for a place; some may be gone
  std::deque<Ticket> again_;  // the same after a wait: they go first
  Wakes wakes_;
  std::vector<std::unique_ptr<Attempt>> idle_;
  std::mt19937_64 random_;
  std::optional<Worker> settler_;  // waits for the disk
  std::thread thread_;             // last: it uses the others
};

}  // namespace http
}  // namespace psw
