// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace promptsweep::emulator {
namespace {

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

Reply html_page(int status, const std::string& text) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/html";
  reply.body = "<html><head><title>" + std::to_string(status) + " " + text +
               "</title></head><body><center><h1>" + text + "</h1></center><hr></body></html>\n";
  return reply;
}

Reply limit(const Service& service, const std::string& route, const std::string& retry_after) {
  Reply reply = service.error(route, 429, "rate limit exceeded, please try again later");
  if (retry_after == "date") {
    reply.headers.emplace_back("Retry-After", http_date(std::time(nullptr) + 2));
  } else if (retry_after == "ms") {
    reply.headers.emplace_back("retry-after-ms", "150.5");
  } else if (!retry_after.empty()) {
    reply.headers.emplace_back("Retry-After", retry_after);
  }
  return reply;
}

void end_early(Reply& reply) {
  if (reply.stream && reply.chunks.size() > 1) {
    reply.chunks.resize(reply.chunks.size() / 2);
  } else {
    reply.delivery = Delivery::half_no_length;
  }
}

// Still of a plausible length, and JSON to no parser.
void malform(Reply& reply) {
  if (reply.stream && !reply.chunks.empty()) {
    std::string& chunk = reply.chunks[reply.chunks.size() / 2];
    chunk = chunk.substr(0, chunk.size() / 2) + "\n";
  } else {
    reply.body = reply.body.substr(0, reply.body.size() / 2) + ",]";
  }
}

}  // namespace

Reply json_reply(const nlohmann::json& body, int status) {
  Reply reply;
  reply.status = status;
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

void Slots::serve(ExchangePtr exchange, std::function<void()> finish) {
  Turn turn{std::move(exchange), std::move(finish)};
  if (slots_ == 0 || busy_ < slots_) return start(std::move(turn));
  waiting_.push_back(std::move(turn));
}

void Slots::start(Turn turn) {
  ++busy_;
  world_.counts.enter_service();
  auto left = std::make_shared<bool>(false);
  turn.exchange->on_gone([this, left] {
    *left = true;
    leave();
  });
  after(world_.io, Milliseconds(world_.settings.latency_ms),
        [this, left, finish = std::move(turn.finish)] {
          if (*left) return;
          finish();
          leave();
        });
}

void Slots::leave() {
  --busy_;
  world_.counts.leave_service();
  while (!waiting_.empty() && busy_ < slots_) {
    Turn next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.exchange->gone()) return start(std::move(next));
  }
  if (idle() && on_idle_) on_idle_();
}

bool play(const Strike& strike, const ExchangePtr& exchange, const Service& service,
          const std::string& route) {
  const FaultKind& kind = *strike.kind;
  switch (kind.act) {
    case Act::status:
      exchange->send(service.error(route, kind.argument, kind.text));
      return true;
    case Act::error_in_200: {
      Reply reply = service.error(route, kind.argument, kind.text);
      reply.status = 200;
      exchange->send(std::move(reply));
      return true;
    }
    case Act::html:
      exchange->send(html_page(kind.argument, kind.text));
      return true;
    case Act::html_reply:
      exchange->alter([&kind](Reply& reply) { reply = html_page(kind.argument, kind.text); });
      return false;
    case Act::limit:
      exchange->send(limit(service, route, kind.text));
      return true;
    case Act::reset_before: {
      Reply reply;
      reply.delivery = Delivery::reset_before;
      exchange->send(std::move(reply));
      return true;
    }
    case Act::lost_reply:
      exchange->alter([](Reply& reply) { reply.delivery = Delivery::reset_before; });
      return false;
    case Act::reset_within:
      exchange->alter([](Reply& reply) { reply.delivery = Delivery::reset_within; });
      return false;
    case Act::cut:
      exchange->alter([](Reply& reply) { reply.delivery = Delivery::cut; });
      return false;
    case Act::end_early:
      exchange->alter(end_early);
      return false;
    case Act::malformed:
      exchange->alter(malform);
      return false;
    case Act::empty:
      exchange->alter([](Reply& reply) {
        reply.body.clear();
        reply.chunks.clear();
      });
      return false;
    case Act::late:
      exchange->alter([ms = strike.ms](Reply& reply) { reply.delay = Milliseconds(ms); });
      return false;
    case Act::drip:
      exchange->alter([ms = strike.ms](Reply& reply) {
        reply.delivery = Delivery::drip;
        reply.interval = Milliseconds(ms);
      });
      return false;
    case Act::split:
      exchange->alter([](Reply& reply) { reply.delivery = Delivery::split; });
      return false;
    default:
      return false;
  }
}

}  // namespace promptsweep::emulator
