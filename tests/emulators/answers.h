// SPDX-License-Identifier: Apache-2.0
// What the emulated models answer: what a replay file says, else words that follow from the seed
// and the question. The same question has the same answer, whenever and however often it is asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace promptsweep::emulator {

struct Message {
  std::string role, content;
};

struct Question {
  std::string model;
  std::vector<Message> messages;
  std::optional<std::string> prompt;  // instead of messages
  std::optional<double> temperature;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> max_tokens;  // absent or negative: no limit
  std::vector<std::string> stop;           // applied to derived answers only

  std::uint64_t hash() const;  // of everything but stop
};

struct Answer {
  std::string text;
  std::string finish_reason = "stop";  // or "length"
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
};

class Answers {
 public:
  explicit Answers(std::uint64_t seed) : seed_(seed) {}
  // Returns an error sentence, or "".
  std::string load(const std::string& path);
  // A line with seed null answers every seed.
  Answer answer(const Question& question) const;

 private:
  Answer derived(const Question& question) const;

  std::uint64_t seed_;
  std::unordered_map<std::uint64_t, Answer> replay_;
};

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);
std::uint64_t mixed(std::uint64_t bits);
std::int64_t words_in(std::string_view text);
// Pieces that together are the text, each a word with the white space before it.
std::vector<std::string> pieces_of(std::string_view text);
// The first `count` words.
std::string first_words(std::string_view text, std::int64_t count);
// Logarithm of a made-up probability for a piece; the same for the same text and place.
double logprob_of(std::string_view piece, std::size_t place);

}  // namespace promptsweep::emulator
