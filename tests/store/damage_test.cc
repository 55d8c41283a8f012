// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include <fstream>

#include "base/env.h"
#include "fixtures.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

std::string bytes_of(const std::filesystem::path& path) { return value_of(read_file(path)); }

void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void run_sql(const std::filesystem::path& path, const char* sql) {
  sqlite3* handle = nullptr;
  BOOST_REQUIRE_EQUAL(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  BOOST_REQUIRE_EQUAL(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
}

// A closed store of several pages.
std::string good_store(const std::filesystem::path& path) {
  const auto rows = request_rows(300);
  auto store = new_arm(path, rows);
  for (const RequestRow& row : rows) {
    require_ok(store->put_result(result_for(row.request_id, Outcome::ok, std::string(100, 'x'))));
  }
  require_ok(store->flush());
  store.reset();
  return bytes_of(path);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(damage)

BOOST_AUTO_TEST_CASE(a_store_cut_short_anywhere_is_refused_and_left_alone) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  const std::string whole = good_store(path);
  std::vector<std::size_t> lengths{0, 1, 15, 16, 50, 99, 100, 511, 512, 4095, 4096, 4097};
  for (std::size_t at = 8192; at < whole.size(); at += 7777) lengths.push_back(at);
  for (std::size_t at = 8192; at < whole.size(); at += 4096) lengths.push_back(at);
  lengths.push_back(whole.size() - 1);
  for (std::size_t length : lengths) {
    BOOST_TEST_CONTEXT("cut to " << length) {
      put_bytes(path, whole.substr(0, length));
      check_refused(ArmStore::open(path), Code::data, path.string());
      check_refused(ArmStore::open_read_only(path), Code::data, path.string());
      BOOST_TEST(bytes_of(path) == whole.substr(0, length));
    }
  }
  put_bytes(path, whole);
  BOOST_TEST(value_of(value_of(ArmStore::open(path))->progress()).accepted == 300);
}

BOOST_AUTO_TEST_CASE(overwritten_pages_give_errors_or_are_found_by_verify) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  const std::string whole = good_store(path);
  for (std::size_t page = 1; page * 4096 < whole.size(); ++page) {
    BOOST_TEST_CONTEXT("page " << page) {
      std::string bad = whole;
      bad.replace(page * 4096, 4096, std::string(4096, '\x5A'));
      put_bytes(path, bad);
      const auto store = ArmStore::open(path);
      const bool found = !store || !(*store)->verify();
      BOOST_TEST(found);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_something_else_is_refused_and_left_alone) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  put_bytes(path, "These are my notes, dear program. " + std::string(5000, 'n'));
  const std::string notes = bytes_of(path);
  check_refused(ArmStore::open(path), Code::data, "this is no arm store");
  BOOST_TEST(bytes_of(path) == notes);

  const auto foreign = folder / "foreign.sqlite";
  run_sql(foreign, "CREATE TABLE t(x); PRAGMA user_version = 1;");
  const std::string bytes = bytes_of(foreign);
  check_refused(ArmStore::open(foreign), Code::data, "no arm store of promptsweep");
  BOOST_TEST(bytes_of(foreign) == bytes);

  // A run's store in an arm's place.
  value_of(RunStore::open_for_writing(folder / "run_r1"));
  check_refused(ArmStore::open(folder / "run_r1" / "run.sqlite"), Code::data, "no arm store");
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_refused_with_the_remedy) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  good_store(path);
  run_sql(path, "PRAGMA user_version = 2;");
  const std::string bytes = bytes_of(path);
  check_refused(ArmStore::open(path), Code::unsupported, "made by a newer promptsweep (format 2");
  check_refused(ArmStore::open_read_only(path), Code::unsupported, "use the newer program");
  BOOST_TEST(bytes_of(path) == bytes);
}

BOOST_AUTO_TEST_CASE(a_creation_that_was_cut_off_is_begun_again) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  put_bytes(folder / "arm.sqlite.new", "half a file");
  auto store = new_arm(path, request_rows(1));
  BOOST_TEST(value_of(store->progress()).expected == 1);
  BOOST_TEST(!std::filesystem::exists(folder / "arm.sqlite.new"));
}

BOOST_AUTO_TEST_CASE(verify_finds_rows_that_contradict_each_other) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  const std::string whole = good_store(path);
  for (const char* sql :
       {"DELETE FROM attempts WHERE request_id = 'id-nq|q7-0'",
        "DELETE FROM results WHERE request_id = 'id-nq|q7-0'",
        "DELETE FROM requests WHERE request_id = 'id-nq|q7-0'",
        "INSERT INTO jobs VALUES(1,'j','closed','intended','','','','','',1,0)"}) {
    BOOST_TEST_CONTEXT(sql) {
      put_bytes(path, whole);
      run_sql(path, sql);
      check_refused(value_of(ArmStore::open(path))->verify(), Code::data, path.string());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
