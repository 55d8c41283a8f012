// SPDX-License-Identifier: Apache-2.0
#include "dataset/prepare.h"

#include <list>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/env.h"
#include "dataset/dataset.h"

namespace promptsweep {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Names under which the data sets' makers publish the files, most specific first.
const std::vector<std::string>& official_names(DatasetFormat format) {
  static const std::vector<std::string> squad{"dev-v2.0.json", "dev-v1.1.json"};
  static const std::vector<std::string> triviaqa{"unfiltered-web-dev.json", "wikipedia-dev.json",
                                                 "web-dev.json", "triviaqa.json"};
  static const std::vector<std::string> nq{"NQ-open.dev.jsonl",
                                           "NQ-open.efficientqa.dev.1.1.jsonl"};
  return format == DatasetFormat::squad ? squad : format == DatasetFormat::triviaqa ? triviaqa : nq;
}

std::optional<std::filesystem::path> locate(const std::optional<std::filesystem::path>& given,
                                            const std::filesystem::path& folder,
                                            DatasetFormat format) {
  if (given) return given;
  std::error_code ignored;
  for (const std::string& name : official_names(format)) {
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
  }
  return std::nullopt;
}

std::string row_text(const Item& item) {
  ordered_json row{{"dataset", item.dataset}, {"id", item.id}};
  if (item.type == TaskType::open_book) row["context"] = item.context;
  row["question"] = item.question;
  row["answers"] = item.answers;
  if (item.type == TaskType::open_book) row["is_unanswerable"] = item.is_unanswerable;
  return row.dump() + "\n";
}

// Empty where `object`, read from a file that anyone may have edited, has no object of that name.
json object_member(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name) || !object.at(name).is_object())
    return json::object();
  return object.at(name);
}

class Preparation {
 public:
  explicit Preparation(const PrepareOptions& options) : options_(options) {}

  // Appends a source's rows to the prepared file `stem`; nothing where the source is not there.
  Status add(const std::optional<std::filesystem::path>& given, DatasetFormat format,
             const std::string& name, const std::string& stem) {
    const auto path = locate(given, options_.raw_dir, format);
    if (!path) return ok;
    DatasetSource source;
    source.name = name;
    source.format = format;
    source.path = *path;
    const Result<DatasetFile> file = read_dataset(source);
    if (!file) return file.error();
    Output* const output = output_of(stem);
    Status written = ok;
    if (!output->file) written = output->open(options_.prepared_dir / (stem + ".jsonl"));
    if (written) {
      written = file->items->for_each([&](std::int64_t, const Item& item) {
        ++output->items;
        const std::string row = row_text(item);
        output->hash.update(row);
        return output->file->append(row);
      });
    }
    if (!written) return written;
    sources_[name] = {{"file", path->filename().string()},
                      {"sha256", file->sha256},
                      {"items", file->items->size()}};
    return ok;
  }

  // Replaces the prepared files that differ from what was read.
  Result<std::vector<PreparedFile>> write() {
    std::vector<PreparedFile> out;
    for (Output& output : outputs_) {
      if (output.items == 0) continue;
      PreparedFile made;
      made.path = options_.prepared_dir / (output.stem + ".jsonl");
      made.items = output.items;
      made.sha256 = output.hash.hex();
      const Result<std::string> before = sha256_hex_of_file(made.path);
      made.already_there = before && *before == made.sha256;
      if (!made.already_there) {
        if (Status written = output.file->commit(); !written) return std::move(written).error();
      }
      datasets_[output.stem] = {
          {"path", made.path.filename().string()}, {"items", made.items}, {"sha256", made.sha256}};
      out.push_back(std::move(made));
    }
    return out;
  }

  // Keeps created_at of an earlier manifest and what it says of files that this call did not make;
  // a manifest that says the same is left alone.
  Status write_manifest() {
    const std::filesystem::path path = options_.prepared_dir / "prepared_manifest.json";
    json before = json::object();
    if (const Result<std::string> text = read_file(path))
      before = json::parse(*text, nullptr, false);
    keep_other_files(before);
    if (object_member(before, "datasets") == datasets_ &&
        object_member(before, "sources") == sources_)
      return ok;
    const std::string now = utc_now();
    const bool has_time =
        before.is_object() && before.contains("created_at") && before.at("created_at").is_string();
    const json manifest{{"schema_version", 1},
                        {"created_at", has_time ? before.at("created_at") : json(now)},
                        {"updated_at", now},
                        {"datasets", datasets_},
                        {"sources", sources_}};
    return write_file_atomic(path, manifest.dump(2) + "\n");
  }

  bool found_any() const { return !sources_.empty(); }

 private:
  // The prepared file that a source goes into.
  static std::string stem_of(const std::string& source) {
    return source.starts_with("squad") ? "open_book" : "closed_book";
  }

  void keep_other_files(const json& before) {
    const json made = datasets_;
    const auto is_other = [&](const std::string& stem) {
      std::error_code ignored;
      return !made.contains(stem) &&
             std::filesystem::exists(options_.prepared_dir / (stem + ".jsonl"), ignored);
    };
    const json datasets = object_member(before, "datasets");
    for (const auto& [stem, entry] : datasets.items()) {
      if (is_other(stem)) datasets_[stem] = entry;
    }
    const json sources = object_member(before, "sources");
    for (const auto& [name, entry] : sources.items()) {
      if (is_other(stem_of(name))) sources_[name] = entry;
    }
  }

  // A prepared file while it is written beside the old one.
  struct Output {
    std::string stem;
    std::optional<AtomicFile> file;
    Sha256 hash;
    std::int64_t items = 0;

    Status open(const std::filesystem::path& path) {
      Result<AtomicFile> made = AtomicFile::create(path);
      if (!made) return std::move(made).error();
      file.emplace(std::move(made).value());
      return ok;
    }
  };

  Output* output_of(const std::string& stem) {
    for (Output& output : outputs_) {
      if (output.stem == stem) return &output;
    }
    Output& fresh = outputs_.emplace_back();
    fresh.stem = stem;
    return &fresh;
  }

  const PrepareOptions& options_;
  std::list<Output> outputs_;
  json datasets_ = json::object();
  json sources_ = json::object();
};

}  // namespace

Result<std::vector<PreparedFile>> prepare_data(const PrepareOptions& options) {
  Preparation preparation(options);
  Status read = preparation.add(options.squad, DatasetFormat::squad, "squad_v2", "open_book");
  if (read)
    read = preparation.add(options.triviaqa, DatasetFormat::triviaqa, "triviaqa", "closed_book");
  if (read)
    read = preparation.add(options.nq_open, DatasetFormat::nq_open, "nq_open", "closed_book");
  if (!read) return std::move(read).error();
  if (!preparation.found_any()) {
    return Error{
        Code::invalid_input,
        "no official download is in " + options.raw_dir.string() +
            "; put there SQuAD's dev-v2.0.json, TriviaQA's unfiltered-web-dev.json or NQ-open's "
            "NQ-open.dev.jsonl, or name files with --squad, --triviaqa, --nq_open"};
  }
  Result<std::vector<PreparedFile>> out = preparation.write();
  if (!out) return out;
  if (Status written = preparation.write_manifest(); !written) return std::move(written).error();
  return out;
}

}  // namespace promptsweep
