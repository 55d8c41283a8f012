// SPDX-License-Identifier: Apache-2.0
// A data file read once from front to end, in windows; hashed and checked to be UTF-8 on the way.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "base/digest.h"
#include "base/result.h"
#include "dataset/dataset.h"

namespace promptsweep {

class SourceFile {
 public:
  static Result<SourceFile> open(const DatasetSource& source);

  // The next line with its newline; the last may lack one. nullopt: the end.
  Result<std::optional<std::string>> line();
  std::int64_t line_number() const { return line_; }  // of the latest line, from 1
  // Everything that is left, for formats that are one document.
  Result<std::string> rest();

  // After the end was reached.
  std::string sha256() { return hash_.hex(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  SourceFile(const DatasetSource& source, std::ifstream in)
      : source_(source), in_(std::move(in)), window_(1 << 16, '\0') {}
  Result<bool> refill();
  Status check(const std::string& line) const;

  const DatasetSource& source_;
  std::ifstream in_;
  std::string window_;
  std::size_t at_ = 0, end_ = 0;
  std::int64_t line_ = 0;
  std::int64_t bytes_ = 0;
  Sha256 hash_;
};

}  // namespace promptsweep
