// SPDX-License-Identifier: Apache-2.0
//
// What the JSON of one request costs, without and with the JSON library's tree, as one JSON object
// of nanoseconds: a request line as a chat body, a reply as a record, a record's body as a row.
//   chat_codec_bench [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "backend/record_body.h"
#include "codec/samples.h"
#include "codec/tree_codec.h"
#include "http/chat_reply.h"
#include "lines/query.h"

namespace {

using Clock = std::chrono::steady_clock;

std::size_t seen = 0;  // so that nothing is optimised away

// The best of several rounds: others use this machine too.
template <class Call>
double nanoseconds(int rounds, Call call) {
  constexpr int repeats = 7;
  double best = 1e18;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto begin = Clock::now();
    for (int i = 0; i < rounds; ++i) seen += call();
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    best = std::min(best, took.count() / rounds);
  }
  return best;
}

void print(const char* name, double plain, double tree, const char* end) {
  std::printf("\"%s\":{\"plain_ns\":%.0f,\"tree_ns\":%.0f}%s", name, plain, tree, end);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 2000;
  const psw::Request line{0, "a", codec::core_line(0.7)};
  const psw::http::ChatDialect dialect = psw::http::vllm_dialect();
  const psw::http::ChatWriter writer(dialect, "model");
  psw::http::Reply reply;
  reply.status = 200;
  reply.body = codec::plain_replies().front();
  reply.queue_ms = 0.251;
  reply.total_ms = 12.345678;
  const std::string record = psw::http::read_chat("POST x", line, reply, dialect).body_json;

  std::printf("{\"line_bytes\":%zu,\"reply_bytes\":%zu,\"record_bytes\":%zu,", line.line.size(),
              reply.body.size(), record.size());
  print("encode",
        nanoseconds(rounds, [&] { return writer.body(psw::lines::parse_query(line.line)).size(); }),
        nanoseconds(rounds,
                    [&] {
                      return codec::tree_body(dialect, "model", "{}", std::nullopt,
                                              psw::lines::tree_query(line.line))
                          .size();
                    }),
        ",");
  print("decode",
        nanoseconds(
            rounds,
            [&] { return psw::http::read_chat("POST x", line, reply, dialect).body_json.size(); }),
        nanoseconds(rounds,
                    [&] {
                      return psw::http::tree_record("POST x", line, reply.body, dialect, &reply)
                          .body_json.size();
                    }),
        ",");
  print("record",
        nanoseconds(rounds, [&] { return promptsweep::plain_record_body(record)->text->size(); }),
        nanoseconds(rounds, [&] { return promptsweep::tree_record_body(record)->text->size(); }),
        "}\n");
  return seen == 0 ? 1 : 0;
}
