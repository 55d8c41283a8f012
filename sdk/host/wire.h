// SPDX-License-Identifier: Apache-2.0
// What the program and promptsweep-host say to each other. Both are built together and run on one
// machine, so numbers travel in memory order; the hello frame refuses another build's protocol.
//
// A frame: u32 size of the body, u32 op, u64 call id, body. The program's calls have ids that the
// reply repeats; the host's call-backs have ids of their own with the top bit set.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "host/types.h"

namespace promptsweep::host {

inline constexpr std::uint32_t wire_cookie = 0x50535748;  // "PSWH"
inline constexpr std::uint32_t wire_protocol = 1;
// A frame above this is nonsense on the stream, not a big batch.
inline constexpr std::uint32_t max_frame_bytes = 1u << 30;
// A batch of records is closed when it reaches this; a single larger record travels alone.
inline constexpr std::size_t batch_bytes = 4u << 20;
inline constexpr int host_socket = 3;  // the descriptor in the host process

enum class Op : std::uint32_t {
  // host to program, first of all: cookie, protocol, CallStatus, Description
  hello = 1,
  // program to host; each is answered by one reply frame: CallStatus, results
  validate,
  estimate,
  create,
  destroy,
  submit,
  poll,
  fetch,
  cancel,
  close,
  identity,
  count_tokens,
  reply,
  // program to host, no answer: the instance shall stop
  stop,
  // host to program, no answer
  log,
  progress,
  mark,
  // host to program; each is answered by one callback_reply frame
  secret,
  param,
  checkpoint,
  callback_reply
};

inline constexpr std::uint64_t callback_bit = 1ull << 63;

struct Frame {
  Op op = Op::hello;
  std::uint64_t call = 0;
  std::string body;
};

class Writer {
 public:
  template <class T>
  Writer& number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(std::string_view value) {
    number<std::uint64_t>(value.size());
    bytes_.append(value);
    return *this;
  }
  Writer& raw(std::string_view value) {
    bytes_.append(value);
    return *this;
  }
  std::size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a Writer wrote. Past the end every value is zero or empty and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T number() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    const std::string_view part = take(sizeof value);
    if (ok_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  std::string_view text() {
    const auto size = number<std::uint64_t>();
    return take(size);
  }
  std::string string() { return std::string(text()); }
  std::string_view rest() const { return bytes_; }
  bool ok() const { return ok_; }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) ok_ = false;
    if (!ok_) {
      bytes_ = {};
      return {};
    }
    const std::string_view part = bytes_.substr(0, static_cast<std::size_t>(size));
    bytes_.remove_prefix(part.size());
    return part;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

std::string encode(const Frame& frame);

// Cuts a byte stream into frames.
class FrameParser {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // False: no whole frame yet, or broken().
  bool next(Frame& frame);
  // The stream makes no sense; nothing more will come of it.
  bool broken() const { return broken_; }

 private:
  std::string buffer_;
  std::size_t used_ = 0;  // consumed bytes at the front of buffer_
  bool broken_ = false;
};

void write(Writer& w, const CallStatus& status);
void write(Writer& w, const Description& description);
void write(Writer& w, const JobArgs& args);
void write(Writer& w, const JobView& view);
void write(Writer& w, const Record& record);
void read(Reader& r, CallStatus& status);
void read(Reader& r, Description& description);
void read(Reader& r, JobArgs& args);
void read(Reader& r, JobView& view);
// The record's views point into the reader's bytes.
void read(Reader& r, Record& record);

}  // namespace promptsweep::host
