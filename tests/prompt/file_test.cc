// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "base/digest.h"
#include "base/env.h"
#include "prompt/arm_fixture.h"
#include "prompt/render.h"
#include "rows_of.h"
#include "temporary_folder.h"

using namespace promptsweep;
namespace fs = std::filesystem;

namespace {

std::vector<RequestRow> of_type(const std::vector<RequestRow>& rows, TaskType type) {
  std::vector<RequestRow> out;
  for (const RequestRow& row : rows) {
    if (row.type == type) out.push_back(row);
  }
  return out;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_files)

// D4: the original ran the first 9,999 rows of such a set, and no open-book row.
BOOST_AUTO_TEST_CASE(d4_every_item_of_a_large_set_is_written) {
  std::vector<Item> items;
  for (int i = 0; i < 12'000; ++i) items.push_back(closed_item("q" + std::to_string(i)));
  for (int i = 0; i < 500; ++i) items.push_back(open_item("q" + std::to_string(i)));
  const ArmSpec arm = greedy_arm();
  const std::vector<RequestRow> rows = rows_of(arm, "m", items);
  BOOST_TEST(rows.size() == 12'500u);
  const ItemList index(items);
  TemporaryFolder folder;
  std::set<std::string> written;
  for (TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    const fs::path path = folder / (std::string(to_string(type)) + ".jsonl");
    const std::vector<RequestRow> part = of_type(rows, type);
    const Result<RequestFile> file = write_request_file(path, arm, "m", index, part);
    BOOST_REQUIRE(file);
    BOOST_TEST(file->count == (type == TaskType::closed_book ? 12'000u : 500u));
    BOOST_TEST(file->bytes == fs::file_size(path));
    BOOST_TEST(file->sha256 == sha256_hex_of_file(path).value());
    BOOST_CHECK(file->path == path);
    const std::vector<std::string> lines = lines_of(path);
    BOOST_REQUIRE(lines.size() == part.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const Item item = index.find(part[i].item_key).value().value();
      BOOST_REQUIRE(lines[i] == request_line(arm, "m", item, part[i].request_id, part[i].seed));
      written.insert(part[i].request_id);
    }
  }
  BOOST_TEST(written.size() == 12'500u);
}

BOOST_AUTO_TEST_CASE(a_row_without_its_item_writes_no_file) {
  TemporaryFolder folder;
  const std::vector<Item> items{closed_item("q1"), closed_item("q2")};
  const std::vector<RequestRow> rows = rows_of(greedy_arm(), "m", items);
  const std::vector<Item> fewer{items[0]};
  const Result<RequestFile> file =
      write_request_file(folder / "r.jsonl", greedy_arm(), "m", ItemList(fewer), rows);
  BOOST_REQUIRE(!file);
  BOOST_CHECK(file.error().code == Code::data);
  BOOST_TEST(file.error().text.find("nq|q2") != std::string::npos);
  BOOST_TEST(fs::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(no_rows_make_an_empty_file) {
  TemporaryFolder folder;
  const Result<RequestFile> file =
      write_request_file(folder / "r.jsonl", greedy_arm(), "m", ItemList({}), {});
  BOOST_REQUIRE(file);
  BOOST_TEST(file->count == 0u);
  BOOST_TEST(file->bytes == 0u);
  BOOST_TEST(file->sha256 == sha256_hex(""));
  BOOST_TEST(fs::file_size(folder / "r.jsonl") == 0u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_an_error) {
  TemporaryFolder folder;
  BOOST_REQUIRE(write_file_atomic(folder / "file", "x"));
  BOOST_TEST(!write_request_file(folder / "file/r.jsonl", greedy_arm(), "m", ItemList({}), {}));
}

BOOST_AUTO_TEST_SUITE_END()
