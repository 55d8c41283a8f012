// SPDX-License-Identifier: Apache-2.0
// mode realtime: one request, one answer.
#pragma once

#include <promptsweep/http/openai_chat.h>

#include <string>

#include "options.h"

namespace fireworks {

class RealtimeChat : public psw::http::Service {
 public:
  explicit RealtimeChat(const Options& options);
  psw::http::Request encode(const psw::Request& line) override;
  psw::http::Verdict judge(const psw::http::Reply& reply) override;
  psw::http::Record decode(const psw::Request& line, const psw::http::Reply& reply) override;

 private:
  const std::string base_;
  const psw::http::Milliseconds timeout_;
  const psw::http::ChatWriter writer_;
};

}  // namespace fireworks
