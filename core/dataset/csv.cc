// SPDX-License-Identifier: Apache-2.0
// CSV by RFC 4180 (quoted fields may hold commas, quotes and newlines), first record = headers. The
// column map names the header of each field: question and answers, and for open-book context; id
// and is_unanswerable (true/false/1/0) are optional. A cell of answers is a JSON list of texts or
// one answer; an empty cell is no answer.
#include <algorithm>
#include <set>

#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

struct Record {
  std::int64_t line = 0;  // where it begins
  std::vector<std::string> cells;
};

// Splits the file record by record; an error names the line. A record is parsed from the text at
// hand, and again with more of it when it may go on.
class CsvSplitter {
 public:
  CsvSplitter(const DatasetSource& source, SourceFile& file) : source_(source), file_(file) {}

  // The next record that is not blank; nullopt: the end.
  Result<std::optional<Record>> next() {
    while (true) {
      if (rest_.empty()) {
        if (Status filled = fill(1); !filled) return std::move(filled).error();
        if (rest_.empty()) return std::optional<Record>();
      }
      Result<Record> record = parse_record();
      if (!record) return std::move(record).error();
      const bool blank = record->cells.size() == 1 && record->cells[0].empty();
      if (!blank) return std::optional<Record>(std::move(record).value());
    }
  }

 private:
  // Whole lines until there are `size` bytes or the file ends.
  Status fill(std::size_t size) {
    text_.erase(0, text_.size() - rest_.size());
    while (text_.size() < size && !ended_) {
      Result<std::optional<std::string>> line = file_.line();
      if (!line) return std::move(line).error();
      if (!*line) {
        ended_ = true;
      } else if (begun_) {
        text_ += **line;
      } else {
        begun_ = true;
        text_ = (*line)->starts_with("\xEF\xBB\xBF") ? (*line)->substr(3) : **line;
      }
    }
    rest_ = text_;
    return ok;
  }

  Result<Record> parse_record() {
    while (true) {
      const std::string_view before = rest_;
      const std::int64_t line = line_;
      Result<Record> record = parse();
      const bool at_end = rest_.size() < 2 && (!record || !ends_with_newline_);
      if (!at_end || ended_) return record;
      rest_ = before;
      line_ = line;
      // Twice as much each time, so that a field of many lines is not parsed once a line.
      if (Status filled = fill(2 * rest_.size() + 1); !filled) return std::move(filled).error();
    }
  }

  Result<Record> parse() {
    Record record{line_, {}};
    ends_with_newline_ = false;
    while (true) {
      Result<std::string> cell =
          rest_.starts_with('"') ? quoted_cell() : Result<std::string>(plain_cell());
      if (!cell) return std::move(cell).error();
      record.cells.push_back(std::move(cell).value());
      if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        continue;
      }
      if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
      if (rest_.empty()) return record;
      if (rest_.front() != '\n') return row_error(source_, line_, "text after a closing quote");
      rest_.remove_prefix(1);
      ends_with_newline_ = true;
      ++line_;
      return record;
    }
  }

  std::string plain_cell() {
    const std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
    std::string cell(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (cell.ends_with('\r') && (rest_.empty() || rest_.front() == '\n')) cell.pop_back();
    return cell;
  }

  Result<std::string> quoted_cell() {
    const std::int64_t opened = line_;
    rest_.remove_prefix(1);
    std::string cell;
    while (!rest_.empty()) {
      if (rest_.starts_with("\"\"")) {
        cell += '"';
        rest_.remove_prefix(2);
      } else if (rest_.front() == '"') {
        rest_.remove_prefix(1);
        return cell;
      } else {
        if (rest_.front() == '\n') ++line_;
        cell += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    return row_error(source_, opened, "a quoted field is never closed");
  }

  const DatasetSource& source_;
  SourceFile& file_;
  std::string text_;
  std::string_view rest_;  // of text_
  bool begun_ = false, ended_ = false;
  bool ends_with_newline_ = false;  // the record parsed last
  std::int64_t line_ = 1;
};

class CsvReader {
 public:
  CsvReader(const DatasetSource& source, const Record& header) : source_(source), header_(header) {}

  Status find_columns() {
    static const std::set<std::string> known{"id", "question", "answers", "context",
                                             "is_unanswerable"};
    for (const auto& [field, title] : source_.columns) {
      if (!known.contains(field)) {
        return row_error(source_, 1,
                         "the column map names \"" + field +
                             "\"; allowed are id, question, answers, context, is_unanswerable");
      }
    }
    for (const char* field : {"id", "question", "answers", "context", "is_unanswerable"}) {
      const auto mapped = source_.columns.find(field);
      const std::string title = mapped == source_.columns.end() ? field : mapped->second;
      const auto found = std::find(header_.cells.begin(), header_.cells.end(), title);
      if (found != header_.cells.end()) {
        column_[field] = static_cast<std::size_t>(found - header_.cells.begin());
      } else if (mapped != source_.columns.end() || required(field)) {
        return row_error(source_, 1, "no column \"" + title + "\" for " + field);
      }
    }
    return ok;
  }

  Result<Item> item(const Record& record) const {
    if (record.cells.size() != header_.cells.size()) {
      return row_error(source_, record.line,
                       std::to_string(record.cells.size()) + " fields where the header has " +
                           std::to_string(header_.cells.size()));
    }
    Item item;
    item.dataset = source_.name;
    item.type = *source_.task;
    item.metric = item.type == TaskType::open_book ? Metric::squad_v2 : Metric::nq_open;
    item.question = cell(record, "question");
    if (item.question.empty()) return row_error(source_, record.line, "the question is empty");
    item.id = cell(record, "id");
    if (item.id.empty()) item.id = id_from_question(item.question);
    const std::string answers = cell(record, "answers");
    if (answers.starts_with('[')) {
      const json list = json::parse(answers, nullptr, false);
      const auto texts =
          list.is_discarded() ? std::nullopt : texts_member(json{{"list", list}}, "list");
      if (!texts)
        return row_error(source_, record.line,
                         "answers begin with '[' and are no JSON list of texts");
      item.answers = *texts;
    } else if (!answers.empty()) {
      item.answers.push_back(answers);
    }
    if (item.type == TaskType::closed_book) {
      if (item.answers.empty())
        return row_error(source_, record.line, "a closed-book question needs an answer");
      return item;
    }
    item.context = cell(record, "context");
    if (item.context.empty()) return row_error(source_, record.line, "the context is empty");
    const std::string flag = cell(record, "is_unanswerable");
    if (!flag.empty() && flag != "true" && flag != "false" && flag != "0" && flag != "1") {
      return row_error(source_, record.line,
                       "is_unanswerable is \"" + flag + "\"; allowed are true, false, 1, 0");
    }
    item.is_unanswerable = item.answers.empty() || flag == "true" || flag == "1";
    if (item.is_unanswerable) item.answers.clear();
    return item;
  }

 private:
  bool required(const std::string& field) const {
    return field == "question" || field == "answers" ||
           (field == "context" && source_.task == TaskType::open_book);
  }

  std::string cell(const Record& record, const std::string& field) const {
    const auto at = column_.find(field);
    return at == column_.end() ? "" : collapse_whitespace(record.cells[at->second]);
  }

  const DatasetSource& source_;
  const Record& header_;
  std::map<std::string, std::size_t> column_;
};

}  // namespace

Status read_csv(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  if (!source.task)
    return row_error(source, 1, "a csv data set needs task: open_book or closed_book");
  CsvSplitter splitter(source, file);
  const Result<std::optional<Record>> header = splitter.next();
  if (!header) return header.error();
  if (!*header) return row_error(source, 1, "the file has no header");
  CsvReader reader(source, **header);
  if (Status found = reader.find_columns(); !found) return found;
  while (true) {
    const Result<std::optional<Record>> record = splitter.next();
    if (!record) return record.error();
    if (!*record) return ok;
    const Result<Item> item = reader.item(**record);
    if (!item) return item.error();
    if (Status taken = take(*item); !taken) return taken;
  }
}

}  // namespace promptsweep
