// SPDX-License-Identifier: Apache-2.0
// What is read and written without a tree is what the tree gives, over plain, odd and spoilt texts.
#define BOOST_TEST_MODULE codec
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <promptsweep/backend.hpp>
#include <random>
#include <sstream>

#include "backend/record_body.h"
#include "codec/samples.h"
#include "codec/tree_codec.h"
#include "http/chat_reply.h"
#include "lines/query.h"

using namespace codec;
using psw::http::ChatDialect;
using psw::lines::Query;

namespace {

using Texts = std::vector<std::string>;

// Each text, and as it is with a few bytes replaced, taken out, put in or repeated.
Texts with_spoilt(const Texts& texts, int variants) {
  static const Texts pieces = {"\"",      "\\",
                               "{",       "}",
                               "[",       "]",
                               ",",       ":",
                               "0",       "1",
                               "-",       ".",
                               "e",       "null",
                               "true",    "\"\"",
                               "\\u00e9", "\\ud800",
                               " ",       "\n",
                               "a",       "é",
                               "\xff",    "\xe6\x9d",
                               "\x7f",    "9999999999999999"};
  std::mt19937 random(20240607);
  const auto below = [&](std::size_t n) { return std::size_t(random()) % n; };
  Texts out = texts;
  for (const std::string& text : texts) {
    for (int i = 0; i < variants; ++i) {
      std::string spoilt = text;
      for (std::size_t edits = 1 + below(2); edits > 0 && !spoilt.empty(); --edits) {
        const std::size_t at = below(spoilt.size());
        const std::size_t size = below(3) == 0 ? below(24) : 1;
        switch (below(4)) {
          case 0:
            spoilt.replace(at, 1, pieces[below(pieces.size())]);
            break;
          case 1:
            spoilt.erase(at, size);
            break;
          case 2:
            spoilt.insert(at, pieces[below(pieces.size())]);
            break;
          default:
            spoilt.insert(at, spoilt.substr(below(spoilt.size()), size));
        }
      }
      out.push_back(std::move(spoilt));
    }
  }
  return out;
}

Texts both(Texts a, const Texts& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Bits, so that -0.0 differs from 0.
std::string exact(const std::optional<double>& value) {
  if (!value) return "none";
  std::ostringstream out;
  out << std::hexfloat << *value;
  return out.str();
}

template <class T>
std::string whole(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "none";
}

std::string show(const std::optional<std::string>& value) {
  return value ? "<" + *value + ">" : "none";
}

std::string show(const Query& query) {
  std::string out = show(query.prompt);
  for (const auto& message : query.messages) out += show(message.role) + show(message.content);
  for (const auto& stop : query.stop) out += "|" + show(stop);
  return out + " " + exact(query.temperature) + " " + exact(query.top_p) + " " +
         whole(query.top_k) + " " + std::to_string(query.max_tokens) + " " + whole(query.seed);
}

std::string show(const psw::http::Record& record) {
  return std::to_string(record.outcome) + " " + std::to_string(record.code) + " " +
         record.body_json + " " + std::to_string(record.usage.prompt_tokens) + " " +
         std::to_string(record.usage.completion_tokens);
}

std::string show(const promptsweep::RecordBody& body) {
  return show(body.text) + show(body.error) + show(body.finish_reason) + show(body.model) +
         show(body.remote_id) + show(body.timings_json) + whole(body.prompt_tokens) + " " +
         whole(body.prompt_tokens_evaluated) + " " + whole(body.completion_tokens) + " " +
         whole(body.seed_honoured);
}

// What a call gives, or what it throws.
std::string outcome(const std::function<std::string()>& call) {
  try {
    return call();
  } catch (const psw::http::JobEnds& error) {
    return "job ends: " + error.text;
  } catch (const psw::Error& error) {
    return "refused: " + std::to_string(error.code) + " " + error.text;
  }
}

struct Writer {
  ChatDialect dialect;
  std::string model, extra = "{}";
  std::optional<int> top_logprobs;
};

std::vector<Writer> writers() {
  return {
      {psw::http::openai_dialect(), "m", "{}", 0},
      {psw::http::llama_server_dialect(true), "m", R"({"zz":[1.50,"é"],"cache_prompt":null})", {}},
      {psw::http::vllm_dialect(), "a\"b", R"({"top_k":7,"stop":["x"],"seed":3})", 5},
      {psw::http::lm_studio_dialect(), "", "{}", {}},
      {psw::http::fireworks_dialect(), "m", R"({"A":{"b":1},"a":1,"max_tokens":2})", 2},
      {psw::http::generic_dialect(), "m", R"({"prompt":"p","messages":[],"top_p":0.5})", {}}};
}

psw::http::Reply good_reply(std::string body) {
  psw::http::Reply reply;
  reply.status = 200;
  reply.body = std::move(body);
  reply.queue_ms = 0.25;
  reply.total_ms = 12.345678;
  return reply;
}

psw::Request seeded_line() { return {0, "a", core_line(0.7)}; }

}  // namespace

BOOST_AUTO_TEST_CASE(plain_texts_are_read_without_a_tree) {
  for (const std::string& line : plain_lines())
    BOOST_TEST(psw::lines::plain_query(line).has_value(), line);
  for (const std::string& body : plain_replies())
    BOOST_TEST(psw::http::plain_chat(body).has_value(), body);
  for (const std::string& body : plain_record_bodies())
    BOOST_TEST(promptsweep::plain_record_body(body).has_value(), body);
}

BOOST_AUTO_TEST_CASE(request_lines_are_read_as_the_tree_reads_them) {
  std::size_t plain_spoilt = 0;
  for (const std::string& line : with_spoilt(both(plain_lines(), odd_lines()), 80)) {
    const auto plain = psw::lines::plain_query(line);
    const auto tree = [&] { return show(psw::lines::tree_query(line)); };
    const std::string expected = outcome(tree);
    if (plain) BOOST_TEST(show(*plain) == expected, line);
    BOOST_TEST(outcome([&] { return show(psw::lines::parse_query(line)); }) == expected, line);
    if (plain) ++plain_spoilt;
  }
  BOOST_TEST(plain_spoilt > 200u);  // else little was compared
}

BOOST_AUTO_TEST_CASE(chat_bodies_are_written_as_the_tree_writes_them) {
  for (const Writer& w : writers()) {
    const psw::http::ChatWriter writer(w.dialect, w.model, w.extra, w.top_logprobs);
    for (const std::string& line : with_spoilt(plain_lines(), 40)) {
      const auto query = psw::lines::plain_query(line);
      if (!query) continue;
      BOOST_TEST(outcome([&] { return writer.body(*query); }) == outcome([&] {
                   return tree_body(w.dialect, w.model, w.extra, w.top_logprobs, *query);
                 }),
                 w.dialect.name + " " + line);
    }
  }
}

BOOST_AUTO_TEST_CASE(refusals_come_in_the_tree_s_order) {
  Query query = psw::lines::parse_query(R"({"prompt":"x","max_tokens":5,"top_k":200})");
  query.stop = {"a", "b", "c", "d", "e"};
  for (const bool raw : {true, false}) {
    if (!raw) query.prompt.reset();
    for (const int top_k : {200, 0}) {
      query.top_k = top_k;
      for (const Writer& w : writers()) {
        const psw::http::ChatWriter writer(w.dialect, w.model, w.extra, w.top_logprobs);
        BOOST_TEST(outcome([&] { return writer.body(query); }) == outcome([&] {
                     return tree_body(w.dialect, w.model, w.extra, w.top_logprobs, query);
                   }));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(replies_are_read_as_the_tree_reads_them) {
  const psw::Request line = seeded_line();
  std::size_t plain_spoilt = 0;
  for (const std::string& body : with_spoilt(both(plain_replies(), odd_replies()), 80)) {
    const psw::http::Reply reply = good_reply(body);
    for (const ChatDialect& dialect :
         {psw::http::llama_server_dialect(true), psw::http::generic_dialect()}) {
      const std::string expected = outcome(
          [&] { return show(psw::http::tree_record("POST x", line, body, dialect, &reply)); });
      if (const auto plain = psw::http::plain_chat(body)) {
        ++plain_spoilt;
        BOOST_TEST(show(psw::http::record_of("POST x", line, *plain, dialect, &reply)) == expected,
                   body);
      }
      BOOST_TEST(outcome([&] {
                   return show(psw::http::read_chat("POST x", line, reply, dialect));
                 }) == expected,
                 body);
    }
  }
  BOOST_TEST(plain_spoilt > 200u);
}

BOOST_AUTO_TEST_CASE(record_bodies_are_read_as_the_tree_reads_them) {
  std::size_t plain_spoilt = 0;
  for (const std::string& json :
       with_spoilt(both(plain_record_bodies(), odd_record_bodies()), 150)) {
    const auto plain = promptsweep::plain_record_body(json);
    if (!plain) continue;
    const auto tree = promptsweep::tree_record_body(json);
    BOOST_REQUIRE(tree.has_value());
    ++plain_spoilt;
    BOOST_TEST(show(*plain) == show(*tree), json);
  }
  BOOST_TEST(plain_spoilt > 200u);
}

BOOST_AUTO_TEST_CASE(answers_are_written_as_the_tree_writes_them) {
  std::mt19937_64 random(7);
  const auto chance = [&] { return random() % 2 == 0; };
  const std::vector<std::string> texts = with_spoilt(
      {"", "Paris", "caf\xC3", "\x01\x1f\x7f\"\\/\b\f\n\r\t", "東京 😀 é", "\xed\xa0\x80x\xf4\x90"},
      20);
  const auto text = [&] { return texts[random() % texts.size()]; };
  const std::vector<double> numbers = {0,
                                       -0.0,
                                       1,
                                       1e22,
                                       1e-7,
                                       0.1,
                                       123456.789,
                                       1e300,
                                       5e-324,
                                       std::nan(""),
                                       std::numeric_limits<double>::infinity()};
  bool usual = true;
  const auto number = [&]() -> std::optional<double> {
    if (chance()) return std::nullopt;
    if (!usual && chance()) return numbers[random() % numbers.size()];
    return static_cast<double>(random() % 1000000007) / 1000.0;
  };
  const std::vector<std::string> logprobs = {"", "{\"b\":1.0,\"a\":[]}", "{broken", "null"};
  for (int i = 0; i < 3000; ++i) {
    usual = i % 2 == 0;
    psw::lines::Answer a;
    a.text = text();
    a.finish = static_cast<psw::lines::Finish>(random() % 3);
    a.model = text();
    if (chance()) a.prompt_tokens = usual ? random() % 100000 : random();
    if (chance()) a.prompt_tokens_evaluated = random() % 100;
    if (chance()) a.completion_tokens = 0;
    if (chance()) a.seed_honoured = chance();
    a.queue_ms = number();
    a.prefill_ms = number();
    a.decode_ms = number();
    a.total_ms = number();
    if (chance()) a.remote_id = text();
    if (chance()) a.system_fingerprint = text();
    if (chance()) a.reasoning = text();
    a.logprobs_json = logprobs[random() % logprobs.size()];
    const std::string body = psw::lines::answer_body(a);
    BOOST_TEST(body == tree_answer(a));
    // What the SDK writes is what the core reads without a tree.
    if (usual) BOOST_TEST(promptsweep::plain_record_body(body).has_value(), body);
  }
}
