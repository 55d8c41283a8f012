// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/json_plain.h -- JSON of the common kind without a tree: reads members in the order in
// which they come, and appends values to a text. For what is read or written once per request.
#ifndef PROMPTSWEEP_JSON_PLAIN_H_INCLUDED
#define PROMPTSWEEP_JSON_PLAIN_H_INCLUDED

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace psw {
namespace lines {

// Walks over one JSON text, which has to outlive it. It is narrower than JSON: keys are ASCII
// without escapes, nesting is bounded, numbers are of a usual size. Whatever it does not take --
// also what is no JSON -- makes it fail for good, and says nothing of the text but that a full
// parser has to look at it. What it does take is valid JSON as far as it has read.
//
//   for (scan.enter_object(); scan.next_member(key);) {
//     if (key == "id") scan.read_text(id); else scan.skip();
//   }
//   const bool whole = scan.at_end();
//
// Each reading function takes the next value whole, or fails and returns false.
class JsonScanner {
 public:
  enum class Kind { none, object, array, text, number, boolean, null };

  explicit JsonScanner(std::string_view text) : text_(text) {}

  bool failed() const { return failed_; }
  // Of the next value; none where no value begins.
  Kind kind();

  bool enter_object();
  // False at the end of the object, and after a failure. `key` is a part of the text.
  bool next_member(std::string_view& key);
  bool enter_array();
  bool next_element();

  bool read_text(std::string& out);     // decoded, in UTF-8
  bool read_count(std::uint64_t& out);  // digits alone, below 10^18
  bool read_number(double& out);        // any number, rounded to the nearest double
  bool copy_number(std::string& out);   // appends it in the one spelling of append_json_number
  bool read_boolean(bool& out);
  bool read_null();
  bool skip();

  // Whether the whole text was read, and nothing failed.
  bool at_end();

 private:
  bool fail();
  void skip_blanks();
  bool take(char c);
  bool take_word(std::string_view word);
  bool take_text(std::string* out);
  bool take_escape(std::string* out);
  int take_unit();
  bool take_number(std::string_view& token, bool& whole);
  bool enter(char opening);
  bool step(char closing);

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool fresh_ = false;  // nothing was read yet of the innermost container
  bool failed_ = false;
};

// A JSON string. Bytes that are no UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);
// The shortest text that reads back as this value, with ".0" where it is whole; null where it is
// not finite.
void append_json_number(std::string& out, double value);

}  // namespace lines
}  // namespace psw

#endif
