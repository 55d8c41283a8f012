// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include <fstream>

#include "base/digest.h"
#include "base/env.h"
#include "plan_fixture.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

void run_sql(const std::filesystem::path& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  BOOST_REQUIRE_EQUAL(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  BOOST_REQUIRE_EQUAL(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
}

// Two answers with every member set, and a third without any that may be absent.
void make_arm(const std::filesystem::path& path) {
  const auto rows = request_rows(3);
  auto store = new_arm(path, rows);
  for (int i = 0; i < 3; ++i) {
    ResultRow row = result_for(rows[static_cast<std::size_t>(i)].request_id);
    if (i < 2) {
      row.text = std::string("two\0parts \xFF", 12);
      row.error = "e";
      row.model = "m";
      row.prompt_tokens = 11;
      row.prompt_tokens_evaluated = 7;
      row.completion_tokens = 3;
      row.remote_id = "remote";
      row.seed_honoured = i == 0;
      row.latency_ms = 0.1 + i;
      row.job_id = "job";
      row.timings_json = "{}";
    }
    require_ok(store->put_result(row));
  }
  require_ok(store->flush());
}

std::vector<Difference> damage_of(const std::filesystem::path& path, Status* rules = nullptr) {
  std::vector<Difference> out;
  const auto store = value_of(ArmStore::open_immutable(path));
  const Status sound = store->verify([&](const Difference& found) { out.push_back(found); });
  if (rules != nullptr) {
    *rules = sound;
  } else {
    require_ok(sound);
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(every_member_of_a_stored_response_is_covered_and_names_its_row) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  make_arm(path);
  BOOST_TEST(damage_of(path).empty());
  const std::string whole = value_of(read_file(path));
  const std::string id = request_rows(3)[1].request_id;
  for (const std::string change : {"text = text || ' '",
                                   "text = cast(substr(text, 1, 2) || 'e' AS TEXT)",
                                   "outcome = 'empty'",
                                   "finish_reason = 'length'",
                                   "error = ''",
                                   "model = 'n'",
                                   "prompt_tokens = 12",
                                   "prompt_tokens = NULL",
                                   "prompt_tokens_evaluated = 0",
                                   "completion_tokens = 4",
                                   "remote_id = ''",
                                   "seed_honoured = 1",
                                   "seed_honoured = NULL",
                                   "latency_ms = 1.2",
                                   "finished_unix_us = finished_unix_us + 1",
                                   "attempts = 2",
                                   "cached = 1",
                                   "job_id = ''",
                                   "timings_json = ''",
                                   "digest = ''"}) {
    BOOST_TEST_CONTEXT(change) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << whole;
      run_sql(path, "UPDATE results SET " + change + " WHERE request_id = '" + id + "'");
      Status rules = ok;
      const std::vector<Difference> found = damage_of(path, &rules);
      BOOST_REQUIRE_EQUAL(found.size(), 1U);
      BOOST_TEST(found[0].row.find(id) != std::string::npos);
      BOOST_TEST(found[0].row.find("nq|q1|control") != std::string::npos);
      check_refused(value_of(ArmStore::open_immutable(path))->verify(), Code::data,
                    rules ? id : path.string());
    }
  }
}

BOOST_AUTO_TEST_CASE(an_outcome_that_does_not_exist_is_damage_and_no_end_of_the_search) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  make_arm(path);
  run_sql(path, "UPDATE results SET outcome = 'okk'; UPDATE attempts SET outcome = 'okk'");
  BOOST_TEST(damage_of(path).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_result_that_differs_from_its_attempt_is_named) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  make_arm(path);
  run_sql(path, "UPDATE attempts SET completion_tokens = 4 WHERE request_id LIKE '%q1%'");
  Status rules = ok;
  BOOST_TEST(damage_of(path, &rules).empty());
  check_refused(rules, Code::data, request_rows(3)[1].request_id);
}

BOOST_AUTO_TEST_CASE(the_checks_of_the_tables_hold_on_a_file_opened_for_reading_too) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  make_arm(path);
  const std::string id = request_rows(3)[1].request_id;
  for (const std::string change :
       {"requests SET type = 'closel'", "attempts SET disposition = ''"}) {
    run_sql(path, "PRAGMA ignore_check_constraints=ON; UPDATE " + change + " WHERE request_id = '" +
                      id + "'");
    Status rules = ok;
    damage_of(path, &rules);
    check_refused(rules, Code::data, id);
  }
}

BOOST_AUTO_TEST_CASE(a_store_of_before_the_digests_is_read_and_gains_them) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  const auto rows = request_rows(2);
  {
    auto store = new_arm(path, rows);
    require_ok(store->put_result(result_for(rows[0].request_id)));
    require_ok(store->flush());
  }
  run_sql(path, "ALTER TABLE results DROP COLUMN digest");
  const std::vector<Difference> old = damage_of(path);
  BOOST_REQUIRE_EQUAL(old.size(), 1U);
  BOOST_TEST(old[0].says.find("older program") != std::string::npos);
  {
    auto store = value_of(ArmStore::open(path));
    require_ok(store->put_result(result_for(rows[1].request_id)));
    require_ok(store->flush());
  }
  const std::vector<Difference> found = damage_of(path);
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0].row.find(rows[0].request_id) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(pinned_items_are_held_against_the_hash_of_their_set) {
  TemporaryFolder folder;
  RunPlan plan = two_set_plan();
  FieldHash hash;
  for (const Item& item : two_items()) hash.add(to_json(item));
  plan.items_sha256 = sha256_hex(hash.bytes());
  {
    auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
    require_ok(run->write_plan(plan, ItemList(two_items()), false));
  }
  const auto damage = [&] {
    std::vector<Difference> out;
    const auto run = value_of(RunStore::open_immutable(folder / "run_r1"));
    require_ok(run->find_damaged_items([&](const Difference& found) { out.push_back(found); }));
    return out;
  };
  BOOST_TEST(damage().empty());
  const auto file = folder / "run_r1" / "run.sqlite";
  run_sql(file, "UPDATE items SET document = replace(document, 'Question 1', 'Question 7')");
  BOOST_REQUIRE_EQUAL(damage().size(), 1U);
  BOOST_TEST(damage()[0].row.find(plan.items_sha256) != std::string::npos);
  run_sql(file, "UPDATE items SET document = '{' WHERE position = 0");
  BOOST_REQUIRE_EQUAL(damage().size(), 2U);
  BOOST_TEST(damage()[0].row.find("nq|q0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(reading_a_run_as_immutable_changes_no_byte_and_refuses_an_open_one) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  const RunPlan plan = two_set_plan();
  {
    auto run = value_of(RunStore::open_for_writing(path));
    require_ok(run->write_plan(plan, ItemList(two_items()), false));
    require_ok(run->record_result_settings("{\"a\":1}"));
    auto arm = value_of(run->open_arm(plan.arms[0]));
    require_ok(arm->initialise(plan.arms[0], request_rows(2)));
    check_refused(RunStore::open_immutable(path), Code::state, "log");
  }
  const std::string before = value_of(read_file(path / "run.sqlite"));
  {
    auto run = value_of(RunStore::open_immutable(path));
    BOOST_TEST(value_of(run->result_settings()) == "{\"a\":1}");
    check_refused(run->record_result_settings(""), Code::state, "reading only");
    auto arm = value_of(run->open_arm_read_only(plan.arms[0]));
    BOOST_TEST(value_of(arm->progress()).expected == 2);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      BOOST_TEST(!entry.path().string().ends_with("-wal"));
      BOOST_TEST(!entry.path().string().ends_with("-shm"));
    }
  }
  BOOST_TEST(value_of(read_file(path / "run.sqlite")) == before);
}

BOOST_AUTO_TEST_CASE(a_seal_names_files_that_differ_that_are_missing_and_that_are_extra) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  {
    auto run = value_of(RunStore::open_for_writing(path));
    require_ok(run->write_plan(two_set_plan(), ItemList(two_items()), false));
    for (const char* name : {"a.txt", "b.txt", "odd\\name\n"}) {
      require_ok(write_file_atomic(path / name, name));
    }
    require_ok(seal_run(*run));
  }
  const auto findings = [&] {
    std::vector<Difference> out;
    value_of(check_seal(path, [&](const Difference& found) { out.push_back(found); }));
    return out;
  };
  BOOST_TEST(findings().empty());
  require_ok(write_file_atomic(path / "a.txt", "b.txt"));
  std::filesystem::remove(path / "b.txt");
  require_ok(write_file_atomic(path / "c.txt", ""));
  const std::vector<Difference> found = findings();
  BOOST_REQUIRE_EQUAL(found.size(), 3U);
  BOOST_TEST(found[0].file == (path / "a.txt").string());
  BOOST_TEST(found[0].recomputed == sha256_hex("b.txt"));
  BOOST_TEST(found[1].row == "line 2");
  BOOST_TEST(found[1].says.find("b.txt") != std::string::npos);
  BOOST_TEST(found[2].file == (path / "c.txt").string());
}

BOOST_AUTO_TEST_SUITE_END()
