// SPDX-License-Identifier: Apache-2.0
//
// The event loop: words of other threads, sockets, times. exchange.cc is what happens to one
// request.
#include "engine.h"

#include <algorithm>
#include <promptsweep/backend.hpp>

#include "exchange.h"

namespace psw {
namespace http {
namespace {

// Once a process, never undone: other plugins of it have their own libcurl state or share this.
void init_libcurl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (done != CURLE_OK) throw Error(PSW_E_INTERNAL, "libcurl cannot be initialised");
}

CURLM* new_multi() {
  init_libcurl();
  CURLM* multi = curl_multi_init();
  if (!multi) throw std::bad_alloc();
  return multi;
}

// Kept for requests that do not count against max_in_flight.
constexpr std::size_t spare_connections = 64;
// What is kept of requests that are over, to be used again.
constexpr std::size_t most_spare = 256;
constexpr std::size_t most_spare_bytes = 16384;  // of the body of one

}  // namespace

Client::Engine::Engine(ClientOptions options)
    : options_(std::move(options)),
      limit_(0),
      loop_([this](int socket, int flags) { on_ready(socket, flags); }),
      multi_(new_multi()),
      pace_(options_.max_in_flight, options_.adaptive),
      random_(std::random_device{}()) {
  limit_ = pace_.limit();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, long(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, long(options_.max_in_flight + spare_connections));
  thread_ = std::thread([this] { work(); });
}

Client::Engine::~Engine() {
  stopping_ = true;
  loop_.wake();
  thread_.join();
  settler_.reset();
  idle_.clear();
  curl_multi_cleanup(multi_);
}

Ticket Client::Engine::start(Request request, Done done) {
  const Time now = std::chrono::steady_clock::now();
  const std::lock_guard<std::mutex> lock(mutex_);
  Word word;
  word.ticket = next_ticket_++;
  word.started = take_exchange();
  Exchange& exchange = *word.started;
  exchange.ticket = word.ticket;
  exchange.request = std::move(request);
  exchange.done = std::move(done);
  exchange.started = now;
  // Behind others that wait for a place it cannot be sent yet: the thread will find it when the
  // next place is free, for which it has to wake up anyway.
  const bool is_urgent = !exchange.request.paced || !others_wait_;
  const Ticket ticket = word.ticket;
  leave(std::move(word), is_urgent);
  ++started_left_;
  return ticket;
}

// REQUIRES: mutex_ is held. Used ones come back here with the strings of their request still in
// them, so that the thread that had allocated them frees them.
std::unique_ptr<Client::Engine::Exchange> Client::Engine::take_exchange() {
  if (spare_.empty()) return std::make_unique<Exchange>();
  std::unique_ptr<Exchange> exchange = std::move(spare_.back());
  spare_.pop_back();
  return exchange;
}

void Client::Engine::cancel(Ticket ticket) {
  Word word;
  word.ticket = ticket;
  const std::lock_guard<std::mutex> lock(mutex_);
  leave(std::move(word), true);
}

// REQUIRES: mutex_ is held. Only a thread that sleeps is woken, and only once.
void Client::Engine::leave(Word word, bool is_urgent) {
  words_.push_back(std::move(word));
  if (!asleep_ || !is_urgent) return;
  asleep_ = false;
  loop_.wake();
}

Standing Client::Engine::standing() const {
  Standing out;
  const std::lock_guard<std::mutex> lock(mutex_);
  out.limit = limit_.load(std::memory_order_relaxed);
  out.in_flight = in_flight_count_.load(std::memory_order_relaxed);
  out.waiting = waiting_count_.load(std::memory_order_relaxed) + started_left_;
  out.attempts = attempts_.load(std::memory_order_relaxed);
  out.congested = congested_.load(std::memory_order_relaxed);
  return out;
}

void Client::Engine::publish() {
  limit_.store(pace_.limit(), std::memory_order_relaxed);
  in_flight_count_.store(in_flight_, std::memory_order_relaxed);
  waiting_count_.store(exchanges_.size() - active_, std::memory_order_relaxed);
}

void Client::Engine::work() {
  while (!stopping_) {
    turn();
    loop_.wait(next_due());
  }
  end_everything();
}

// Replies of one turn are handed over one after the other, so that a thread that waits for them
// wakes up once; and before the next requests are sent, so that no more than the limit are ever
// open.
void Client::Engine::turn() {
  bool more = false;
  do {
    const Time now = std::chrono::steady_clock::now();
    take_finished();
    hand_over();
    take_words(false);
    wake_retries(now);
    send_what_may(now);
    more = run_due_timeouts(now) || !ended_.empty();
    publish();
    if (!more) more = take_words(true);
  } while (more);
}

// False: there were none. The next one then wakes the thread, if it `may_sleep` now.
bool Client::Engine::take_words(bool may_sleep) {
  taken_.clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    taken_.swap(words_);
    started_left_ = 0;
    while (!used_.empty() && spare_.size() < most_spare) {
      spare_.push_back(std::move(used_.back()));
      used_.pop_back();
    }
    asleep_ = may_sleep && taken_.empty();
    others_wait_ = !again_.empty() || !queue_.empty();
  }
  used_.clear();
  for (Word& word : taken_) {
    if (word.started) {
      accept(std::move(word.started));
      continue;
    }
    const auto found = exchanges_.find(word.ticket);
    if (found == exchanges_.end()) continue;
    if (word.settled) {
      finish(*found->second, std::move(*word.settled));
    } else {
      cancel_now(*found->second);
    }
  }
  return !taken_.empty();
}

// Every Done is called; one that starts another request gets that cancelled as well.
void Client::Engine::end_everything() {
  do {
    while (!exchanges_.empty()) cancel_now(*exchanges_.begin()->second);
    hand_over();
  } while (take_words(false) || !ended_.empty());
  publish();
}

// libcurl also wants this for what was added: it is then that requests are sent. True: it was due.
bool Client::Engine::run_due_timeouts(Time now) {
  if (curl_due_ > now) return false;
  curl_due_ = Time::max();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  return true;
}

void Client::Engine::take_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Attempt* attempt = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &attempt);
    attempt_ended(*static_cast<Exchange*>(attempt->owner), code);
  }
}

void Client::Engine::wake_retries(Time now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const Ticket ticket = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    Exchange& exchange = *exchanges_.at(ticket);
    exchange.so_far.state = Exchange::State::queued;
    if (exchange.request.paced) {
      again_.push_back(ticket);
    } else {
      send(exchange, now);
    }
  }
}

void Client::Engine::send_what_may(Time now) {
  while ((!again_.empty() || !queue_.empty()) && pace_.may_send(in_flight_, now)) {
    std::deque<Ticket>& first = again_.empty() ? queue_ : again_;
    const Ticket ticket = first.front();
    first.pop_front();
    const auto found = exchanges_.find(ticket);
    if (found != exchanges_.end()) send(*found->second, now);
  }
}

// Gone from the tables before Done is called, which may start or cancel others, or this one.
void Client::Engine::hand_over() {
  handed_over_.swap(ended_);
  for (Ended& ended : handed_over_) {
    Exchange& exchange = *ended.exchange;
    if (exchange.done && !without_exceptions([&] { exchange.done(std::move(ended.reply)); })) {
      log(PSW_LOG_ERROR, "what was to be done with a reply failed");
    }
    exchange.forget();
    const bool is_small =
        exchange.request.body.capacity() <= most_spare_bytes && exchange.request.parts.empty();
    if (is_small) used_.push_back(std::move(ended.exchange));
  }
  handed_over_.clear();
}

Time Client::Engine::next_due() const {
  Time due = curl_due_;
  if (!wakes_.empty()) due = std::min(due, wakes_.begin()->first);
  const bool waits = !again_.empty() || !queue_.empty();
  if (waits && in_flight_ < pace_.limit()) due = std::min(due, paused_until_);
  return due;
}

void Client::Engine::on_ready(int socket, int flags) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, flags, &running);
}

int Client::Engine::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  static_cast<Engine*>(self)->loop_.set(socket, what);
  return 0;
}

int Client::Engine::on_timer(CURLM*, long ms, void* self) {
  auto& engine = *static_cast<Engine*>(self);
  if (ms > 0) {
    engine.curl_due_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  } else {
    engine.curl_due_ = ms < 0 ? Time::max() : Time::min();  // never, or at once
  }
  return 0;
}

int Client::Engine::adopt_socket(void* self, curl_socket_t socket, curlsocktype) {
  static_cast<EventLoop*>(self)->adopt(socket);
  return CURL_SOCKOPT_OK;
}

int Client::Engine::close_socket(void* self, curl_socket_t socket) {
  static_cast<EventLoop*>(self)->close(socket);
  return 0;
}

std::unique_ptr<Attempt> Client::Engine::take_attempt() {
  if (!idle_.empty()) {
    std::unique_ptr<Attempt> attempt = std::move(idle_.back());
    idle_.pop_back();
    return attempt;
  }
  return std::make_unique<Attempt>(options_, [this](CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, adopt_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, &loop_);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &loop_);
  });
}

void Client::Engine::log(std::int32_t level, const std::string& message) const {
  if (options_.log) options_.log(level, message);
}

}  // namespace http
}  // namespace psw
