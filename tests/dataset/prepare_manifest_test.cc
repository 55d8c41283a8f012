// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "dataset/prepare.h"
#include "temporary_folder.h"

namespace promptsweep {
namespace {

constexpr const char* nq_line = "{\"question\":\"q\",\"answer\":[\"x\"]}\n";
constexpr const char* squad_file =
    R"({"version":"v2.0","data":[{"paragraphs":[{"context":"c","qas":[{"id":"1","question":"q","answers":[{"text":"x"}]}]}]}]})";

struct Workplace {
  TemporaryFolder folder;

  void prepare(const char* squad, const char* nq) {
    PrepareOptions options;
    options.raw_dir = folder / "raw";
    options.prepared_dir = folder / "prepared";
    if (squad != nullptr) options.squad = written("squad.json", squad);
    if (nq != nullptr) options.nq_open = written("nq.jsonl", nq);
    const auto files = prepare_data(options);
    BOOST_REQUIRE_MESSAGE(bool(files), (files ? "" : files.error().text));
  }
  std::filesystem::path written(const char* name, const char* text) {
    BOOST_REQUIRE(bool(write_file_atomic(folder / name, text)));
    return folder / name;
  }
  nlohmann::json manifest() {
    const auto text = read_file(folder / "prepared/prepared_manifest.json");
    BOOST_REQUIRE(bool(text));
    return nlohmann::json::parse(*text);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_manifest_keeps_what_another_call_prepared) {
  Workplace at;
  at.prepare(nullptr, nq_line);
  const nlohmann::json closed = at.manifest()["datasets"]["closed_book"];
  at.prepare(squad_file, nullptr);
  const nlohmann::json both = at.manifest();
  BOOST_TEST(both["datasets"]["closed_book"] == closed);
  BOOST_TEST(both["datasets"].contains("open_book"));
  BOOST_TEST(both["sources"].contains("nq_open"));
  BOOST_TEST(both["sources"].contains("squad_v2"));
  at.prepare(squad_file, nullptr);
  BOOST_TEST(at.manifest() == both);  // times included: nothing was written
}

BOOST_AUTO_TEST_CASE(a_damaged_manifest_is_made_anew) {
  for (const char* damage : {"", "[]", R"({"datasets":[1],"created_at":5,"sources":"x"})"}) {
    Workplace at;
    at.written("prepared/prepared_manifest.json", damage);
    at.prepare(squad_file, nullptr);
    BOOST_TEST(at.manifest()["datasets"].size() == 1);
    BOOST_TEST(at.manifest()["created_at"].is_string());
  }
}

BOOST_AUTO_TEST_CASE(the_manifest_forgets_a_file_that_is_gone) {
  Workplace at;
  at.prepare(nullptr, nq_line);
  std::filesystem::remove(at.folder / "prepared/closed_book.jsonl");
  at.prepare(squad_file, nullptr);
  BOOST_TEST(!at.manifest()["datasets"].contains("closed_book"));
  BOOST_TEST(!at.manifest()["sources"].contains("nq_open"));
}

}  // namespace promptsweep
