// SPDX-License-Identifier: Apache-2.0
// A Result<T> is either a T or the Error that prevented it. Expected failures travel as values;
// exceptions of libraries end in the module that owns the library; assert is for broken promises.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace promptsweep {

enum class Code {
  invalid_input,  // the user's input is wrong: exit code 2
  not_found,
  io,
  unavailable,
  rate_limited,
  timeout,
  resource,  // memory, VRAM, disk, descriptors
  cancelled,
  unsupported,
  state,  // right call, wrong moment
  data,   // stored or received bytes make no sense
  internal,
};

// What went wrong: a code for the caller to branch on, a sentence for a person to read.
struct Error {
  Code code = Code::internal;
  std::string text;

  // This error with the caller's context in front: "trial 17: disk full".
  Error in(std::string_view where) && { return {code, std::string(where) + ": " + text}; }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }

  // REQUIRES: *this holds a value.
  T& value() & {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(*this);
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: *this holds an error.
  const Error& error() const& {
    assert(!*this);
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!*this);
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};
inline constexpr Ok ok;
using Status =
    Result<Ok>;  // if (Status s = store.put(r); !s) return std::move(s).error().in("row 12");

}  // namespace promptsweep
