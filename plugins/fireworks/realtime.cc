// SPDX-License-Identifier: Apache-2.0
#include "realtime.h"

namespace fireworks {

RealtimeChat::RealtimeChat(const Options& options)
    : base_(options.base_url + "/inference/v1"),
      timeout_(std::chrono::seconds(options.timeout_s)),
      writer_(psw::http::fireworks_dialect(), options.model) {}

psw::http::Request RealtimeChat::encode(const psw::Request& line) {
  const psw::lines::Query query = psw::lines::parse_query(line.line);
  psw::http::Request request;
  request.method = "POST";
  request.url = base_ + (query.prompt ? "/completions" : "/chat/completions");
  request.headers.push_back({"Content-Type", "application/json"});
  request.secret = "FIREWORKS_API_KEY";
  request.body = writer_.body(query);
  request.deadline = timeout_;
  return request;
}

psw::http::Verdict RealtimeChat::judge(const psw::http::Reply& reply) {
  return psw::http::judge_chat(reply);
}

psw::http::Record RealtimeChat::decode(const psw::Request& line, const psw::http::Reply& reply) {
  return psw::http::read_chat("POST " + base_ + "/chat/completions", line, reply,
                              writer_.dialect());
}

}  // namespace fireworks
