// SPDX-License-Identifier: Apache-2.0
#include "dataset/prepare.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "dataset/dataset.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Downloads {
  TemporaryFolder folder;
  PrepareOptions options;

  Downloads() {
    options.raw_dir = folder / "raw";
    options.prepared_dir = folder / "prepared";
    std::filesystem::create_directories(options.raw_dir);
    std::ofstream(options.raw_dir / "dev-v2.0.json")
        << R"({"version":"v2.0","data":[{"paragraphs":[{"context":"c","qas":[{"id":"1","question":"q","answers":[{"text":"c"}]},{"id":"2","question":"r","answers":[],"is_impossible":true}]}]}]})";
    std::ofstream(options.raw_dir / "NQ-open.dev.jsonl")
        << "{\"question\":\"q\",\"answer\":[\"a\"]}\n";
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(prepare, Downloads)

BOOST_AUTO_TEST_CASE(prepared_files_read_back_as_items) {
  const auto files = prepare_data(options);
  BOOST_REQUIRE(files);
  BOOST_REQUIRE(files->size() == 2u);
  DatasetSource source;
  source.path = options.prepared_dir / "open_book.jsonl";
  const auto read = read_dataset(source);
  BOOST_REQUIRE(read);
  BOOST_TEST(read->items->size() == 2);
  BOOST_TEST(read->items->item(0).value().dataset == "squad_v2");
  BOOST_TEST(read->items->item(1).value().is_unanswerable);
  const auto manifest =
      nlohmann::json::parse(read_file(options.prepared_dir / "prepared_manifest.json").value());
  BOOST_TEST(manifest.at("datasets").at("open_book").at("items") == 2);
  BOOST_TEST(manifest.at("sources").at("nq_open").at("file") == "NQ-open.dev.jsonl");
}

BOOST_AUTO_TEST_CASE(a_second_time_changes_nothing) {
  BOOST_REQUIRE(prepare_data(options));
  const std::string manifest = read_file(options.prepared_dir / "prepared_manifest.json").value();
  const auto again = prepare_data(options);
  BOOST_REQUIRE(again);
  for (const PreparedFile& file : *again) BOOST_TEST(file.already_there);
  BOOST_TEST(read_file(options.prepared_dir / "prepared_manifest.json").value() == manifest);
}

BOOST_AUTO_TEST_CASE(without_downloads_the_message_says_what_to_get) {
  options.raw_dir = folder / "empty";
  const auto files = prepare_data(options);
  BOOST_REQUIRE(!files);
  BOOST_TEST(files.error().text.find("dev-v2.0.json") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
