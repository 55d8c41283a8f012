// SPDX-License-Identifier: Apache-2.0
#include "dataset/source_file.h"

#include <cerrno>
#include <cstring>

#include "base/unicode.h"
#include "dataset/readers.h"

namespace promptsweep {

Result<SourceFile> SourceFile::open(const DatasetSource& source) {
  const std::string name = source.path.string();
  std::error_code ignored;
  if (std::filesystem::is_directory(source.path, ignored)) {
    return Error{Code::invalid_input, "cannot read " + name + ": it is a folder"};
  }
  std::ifstream in(source.path, std::ios::binary);
  if (!in) return Error{Code::invalid_input, "cannot read " + name + ": " + std::strerror(errno)};
  return SourceFile(source, std::move(in));
}

Result<bool> SourceFile::refill() {
  in_.read(window_.data(), static_cast<std::streamsize>(window_.size()));
  if (in_.bad()) return Error{Code::invalid_input, "cannot read " + source_.path.string()};
  at_ = 0;
  end_ = static_cast<std::size_t>(in_.gcount());
  hash_.update(std::string_view(window_.data(), end_));
  bytes_ += static_cast<std::int64_t>(end_);
  return end_ > 0;
}

// A newline is never part of a longer sequence, so that every line is checked by itself.
Status SourceFile::check(const std::string& line) const {
  if (is_valid_utf8(line)) return ok;
  return row_error(source_, line_, "found bytes that are not UTF-8; save the file as UTF-8");
}

Result<std::optional<std::string>> SourceFile::line() {
  std::string out;
  while (true) {
    if (at_ == end_) {
      const Result<bool> more = refill();
      if (!more) return more.error();
      if (!*more) break;
    }
    const auto* const first = window_.data() + at_;
    const auto* const newline = static_cast<const char*>(std::memchr(first, '\n', end_ - at_));
    const std::size_t count =
        newline == nullptr ? end_ - at_ : static_cast<std::size_t>(newline - first) + 1;
    out.append(first, count);
    at_ += count;
    if (newline != nullptr) break;
  }
  if (out.empty()) return std::optional<std::string>();
  ++line_;
  if (Status valid = check(out); !valid) return std::move(valid).error();
  return std::optional<std::string>(std::move(out));
}

Result<std::string> SourceFile::rest() {
  std::string out;
  while (true) {
    Result<std::optional<std::string>> next = line();
    if (!next) return std::move(next).error();
    if (!*next) return out;
    out += **next;
  }
}

}  // namespace promptsweep
