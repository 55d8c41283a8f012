// SPDX-License-Identifier: Apache-2.0
//
// The event loop: words of other threads, sockets, times. exchange.cc is what happens to one
// request.
#include "engine.h"

#include <algorithm>
#include <boost/asio/post.hpp>
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

}  // namespace

Client::Engine::Engine(ClientOptions options)
    : options_(std::move(options)),
      limit_(0),
      io_(1),
      sockets_(io_,
               [this](int socket, int flags) {
                 int running = 0;
                 curl_multi_socket_action(multi_, socket, flags, &running);
               }),
      timer_(io_),
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
  wake();
  thread_.join();
  if (settler_) settler_->join();
  idle_.clear();
  curl_multi_cleanup(multi_);
}

Ticket Client::Engine::start(Request request, Done done) {
  auto exchange = std::make_unique<Exchange>();
  exchange->request = std::move(request);
  exchange->done = std::move(done);
  exchange->started = std::chrono::steady_clock::now();
  Word word;
  word.started = std::move(exchange);
  const std::lock_guard<std::mutex> lock(mutex_);
  const Ticket ticket = next_ticket_++;
  word.ticket = word.started->ticket = ticket;
  leave(std::move(word));
  return ticket;
}

void Client::Engine::cancel(Ticket ticket) {
  Word word;
  word.ticket = ticket;
  const std::lock_guard<std::mutex> lock(mutex_);
  leave(std::move(word));
}

// REQUIRES: mutex_ is held. Only the first of many words wakes the thread, and none of its own do.
void Client::Engine::leave(Word word) {
  words_.push_back(std::move(word));
  if (words_.size() == 1 && !on_own_thread()) wake();
}

void Client::Engine::wake() {
  boost::asio::post(io_, [] {});
}

Standing Client::Engine::standing() const {
  Standing out;
  out.limit = limit_.load(std::memory_order_relaxed);
  out.in_flight = in_flight_count_.load(std::memory_order_relaxed);
  out.waiting = waiting_count_.load(std::memory_order_relaxed);
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
  const auto always = boost::asio::make_work_guard(io_);
  turn();
  while (!stopping_) {
    io_.run_one();
    io_.poll();
    turn();
  }
  end_everything();
}

void Client::Engine::turn() {
  bool words_came = take_words();
  do {
    const Time now = std::chrono::steady_clock::now();
    run_due_timeouts(now);
    take_finished();
    wake_retries(now);
    send_what_may(now);
    // What was called back may have left words, and libcurl wants to be called for what was added.
    words_came = take_words();
  } while (words_came || curl_due_ <= std::chrono::steady_clock::now());
  set_timer();
  publish();
}

bool Client::Engine::take_words() {
  taken_.clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    taken_.swap(words_);
  }
  for (Word& word : taken_) {
    if (word.started) {
      accept(std::move(word.started));
      continue;
    }
    const auto found = exchanges_.find(word.ticket);
    if (found != exchanges_.end()) cancel_now(*found->second);
  }
  return !taken_.empty();
}

// Every Done is called; one that starts another request gets that cancelled as well.
void Client::Engine::end_everything() {
  do {
    while (!exchanges_.empty()) cancel_now(*exchanges_.begin()->second);
  } while (take_words());
  publish();
}

void Client::Engine::run_due_timeouts(Time now) {
  if (curl_due_ > now) return;
  curl_due_ = Time::max();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
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
    exchange.state = Exchange::State::queued;
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

// A timer that fires too early costs one turn; setting it anew for every request costs a call to
// the system each. So it is only ever set to an earlier time.
void Client::Engine::set_timer() {
  Time due = curl_due_;
  if (!wakes_.empty()) due = std::min(due, wakes_.begin()->first);
  const bool waits = !again_.empty() || !queue_.empty();
  if (waits && paused_until_ > std::chrono::steady_clock::now()) {
    due = std::min(due, paused_until_);
  }
  if (due >= timer_at_) return;
  timer_at_ = due;
  timer_.expires_at(due);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) timer_at_ = Time::max();
  });
}

int Client::Engine::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  static_cast<Engine*>(self)->sockets_.set(socket, what);
  return 0;
}

int Client::Engine::on_timer(CURLM*, long ms, void* self) {
  auto& engine = *static_cast<Engine*>(self);
  engine.curl_due_ =
      ms < 0 ? Time::max() : std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  return 0;
}

int Client::Engine::adopt_socket(void* self, curl_socket_t socket, curlsocktype) {
  static_cast<SocketWatch*>(self)->adopt(socket);
  return CURL_SOCKOPT_OK;
}

int Client::Engine::close_socket(void* self, curl_socket_t socket) {
  static_cast<SocketWatch*>(self)->close(socket);
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
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, &sockets_);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &sockets_);
  });
}

void Client::Engine::log(std::int32_t level, const std::string& message) const {
  if (options_.log) options_.log(level, message);
}

}  // namespace http
}  // namespace psw
