// SPDX-License-Identifier: Apache-2.0
// Data set files to Items. One reader a format; `read_dataset` is the one way in.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataset/item_spool.h"
#include "records/item.h"
#include "records/item_source.h"

namespace promptsweep {

// squad: SQuAD 1.1 and 2.0 JSON. triviaqa: official JSON. nq_open: JSONL. prepared: the original's
// prepared JSONL. csv: with a column map.
enum class DatasetFormat { squad, triviaqa, nq_open, prepared, csv };
std::optional<DatasetFormat> dataset_format_from(std::string_view name);
std::string_view to_string(DatasetFormat format);

struct DatasetSource {
  std::string name;  // Item::dataset; for `prepared` files only a label (each row names its own)
  std::optional<TaskType> task;  // checked against the file; required for csv
  DatasetFormat format = DatasetFormat::prepared;
  std::filesystem::path path;
  std::map<std::string, std::string> columns;  // csv: field -> column header
  std::optional<std::int64_t> max_items;       // 0: none of it; absent: all
};

struct DatasetFile {
  DatasetSource source;
  std::string sha256;
  std::int64_t bytes = 0;
  std::shared_ptr<ItemSpool> items;  // in file order, whitespace collapsed, before caps
};

// Errors name file and line (or record), say what was found and what is allowed. A malformed row
// is an error, never skipped. Repeated ids within a file are an error.
Result<DatasetFile> read_dataset(const DatasetSource& source);

// What a plan needs to know of the chosen items; small, whatever their number.
struct SelectionFacts {
  std::string items_sha256;  // over to_json of every item in order
  struct Count {
    std::string dataset;
    std::int64_t available = 0, capped = 0, selected = 0;
  };
  std::vector<Count> counts;
  struct OfType {
    std::int64_t items = 0;
    // [r]: the sum over the items of (r + characters of question and passage) / 4, rounded down
    // each: estimates of prompt tokens follow from it for any instructions.
    std::array<std::int64_t, 4> quarters{};
  };
  OfType closed_book, open_book;

  std::int64_t size() const { return closed_book.items + open_book.items; }
  const OfType& of(TaskType type) const {
    return type == TaskType::closed_book ? closed_book : open_book;
  }
};

struct Selection {
  SelectionFacts facts;
  std::shared_ptr<const ItemSource> items;  // in run order: seeded shuffle, caps, limits applied
};

struct SelectionLimits {
  std::uint64_t seed = 2025;
  // max_items by prepared data set kind is already in DatasetSource::max_items.
  std::map<std::string, std::int64_t> max_items_by_dataset;  // for prepared files with several sets
  std::optional<std::int64_t> limit_items;  // N items in all, in proportion to capped sizes
  std::optional<std::int64_t> limit_items_per_dataset;  // N items of each data set
};

// Each data set is shuffled by (seed, its name) alone, capped, then limited; the result is the same
// for every arm. An item key that occurs in two files is an error.
Result<Selection> select_items(const std::vector<DatasetFile>& files,
                               const SelectionLimits& limits);

}  // namespace promptsweep
