// SPDX-License-Identifier: Apache-2.0
#include "store/response_cache.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/env.h"
#include "fixtures.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

const CacheArm one_arm{"arm1", "run1", "small", "echo", R"({"engine":"echo"})"};

std::string key_of(int number) {
  ResponseKeyParts parts;
  parts.content_sha256 = std::to_string(number);
  return response_cache_key(parts);
}

ResultRow answer(const std::string& text, Outcome outcome = Outcome::ok) {
  ResultRow row = result_for("ignored", outcome, text);
  row.model = "small-1";
  row.prompt_tokens = 11;
  row.completion_tokens = 3;
  row.remote_id = "remote-7";
  row.seed_honoured = true;
  row.latency_ms = 12.5;
  row.attempts = 2;
  row.job_id = "job";
  row.timings_json = "{}";
  return row;
}

// Enters the answers "<prefix><number>" under the keys [first, first + count).
Result<std::int64_t> enter(ResponseCache& cache, int first, int count, const std::string& prefix,
                           const CacheArm& arm = one_arm) {
  return cache.enter_arm(arm, [&](const ResponseCache::Put& put) -> Status {
    for (int i = first; i < first + count; ++i) {
      if (Status done = put(key_of(i), answer(prefix + std::to_string(i))); !done) return done;
    }
    return ok;
  });
}

void change_file(const std::filesystem::path& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  BOOST_REQUIRE_EQUAL(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  char* message = nullptr;
  sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &message);
  BOOST_REQUIRE_MESSAGE(message == nullptr, (message ? message : ""));
  sqlite3_close(handle);
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct CacheFixture {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "experiments" / response_cache_name;
  std::unique_ptr<ResponseCache> open() const { return value_of(ResponseCache::open(path)); }
};

// Runs `body` in a process of its own, which ends with its return value.
template <class Body>
pid_t in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(response_cache, CacheFixture)

BOOST_AUTO_TEST_CASE(each_part_of_the_key_matters) {
  const ResponseKeyParts base{"content", 7, true, 0, "echo", R"({"a":1})", R"({"build":"1"})"};
  std::vector<ResponseKeyParts> changed(8, base);
  changed[1].content_sha256 = "other";
  changed[2].seed = 8;
  changed[3].seed_is_sent = false;
  changed[4].sample_index = 1;
  changed[5].backend = "echo2";
  changed[6].answer_options = R"({"a":2})";
  changed[7].engine_identity = R"({"build":"2"})";
  std::set<std::string> keys;
  for (const ResponseKeyParts& parts : changed) {
    BOOST_TEST(response_cache_key(parts).size() == 64u);
    BOOST_TEST(response_cache_key(parts) == response_cache_key(parts));
    keys.insert(response_cache_key(parts));
  }
  BOOST_TEST(keys.size() == changed.size());
  // A seed that is not sent changes nothing.
  ResponseKeyParts unsent = changed[3];
  unsent.seed = 99;
  BOOST_TEST(response_cache_key(unsent) == response_cache_key(changed[3]));
  // Fields do not run into each other.
  ResponseKeyParts moved = base;
  moved.backend = "ech";
  moved.answer_options = "o" + base.answer_options;
  BOOST_TEST(response_cache_key(moved) != response_cache_key(base));
}

BOOST_AUTO_TEST_CASE(only_engines_that_say_what_they_are) {
  BOOST_TEST(is_cacheable_identity(R"({"engine":"echo"})"));
  BOOST_TEST(!is_cacheable_identity("{}"));
  BOOST_TEST(!is_cacheable_identity(""));
  BOOST_TEST(!is_cacheable_identity(R"({"engine":"dry-run"})"));
}

BOOST_AUTO_TEST_CASE(an_answer_comes_back_marked_and_without_measurements) {
  BOOST_TEST(value_of(enter(*open(), 0, 3, "text ")) == 3);
  const auto cache = open();
  BOOST_TEST(!value_of(cache->find(key_of(3))).has_value());
  const ResultRow row = value_of(cache->find(key_of(1))).value();
  BOOST_TEST(row.text == "text 1");
  BOOST_CHECK(row.outcome == Outcome::ok);
  BOOST_TEST(row.finish_reason == "stop");
  BOOST_TEST(row.model == "small-1");
  BOOST_TEST(row.prompt_tokens.value() == 11);
  BOOST_TEST(!row.prompt_tokens_evaluated.has_value());
  BOOST_TEST(row.completion_tokens.value() == 3);
  BOOST_TEST(row.remote_id == "remote-7");
  BOOST_TEST(row.seed_honoured.value());
  BOOST_TEST(row.finished_unix_us == 1'770'000'000'000'000);
  BOOST_TEST(row.cached);
  BOOST_TEST(row.attempts == 0);
  BOOST_TEST(!row.latency_ms.has_value());
  BOOST_TEST(row.timings_json.empty());
  BOOST_TEST(row.job_id.empty());
  BOOST_TEST(row.request_id.empty());
}

BOOST_AUTO_TEST_CASE(behaviours_are_kept_and_failures_are_not) {
  const auto cache = open();
  const auto enter_one = [&](Outcome outcome) {
    return cache->enter_arm(one_arm, [&](const ResponseCache::Put& put) {
      return put(key_of(static_cast<int>(outcome)), answer("x", outcome));
    });
  };
  for (Outcome outcome : {Outcome::ok, Outcome::truncated, Outcome::empty, Outcome::filtered}) {
    BOOST_TEST(value_of(enter_one(outcome)) == 1);
    const auto found = value_of(cache->find(key_of(static_cast<int>(outcome))));
    BOOST_REQUIRE(found.has_value());
    BOOST_CHECK(found->outcome == outcome);
  }
  for (Outcome outcome :
       {Outcome::error_backend, Outcome::error_timeout, Outcome::expired, Outcome::cancelled,
        Outcome::missing, Outcome::error_request, Outcome::prompt_truncated}) {
    check_refused(enter_one(outcome), Code::data, "is not cached");
    BOOST_TEST(!value_of(cache->find(key_of(static_cast<int>(outcome)))).has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_arm_enters_whole_or_not_at_all) {
  const auto cache = open();
  const auto failed = cache->enter_arm(one_arm, [&](const ResponseCache::Put& put) -> Status {
    for (int i = 0; i < 50; ++i) require_ok(put(key_of(i), answer("half")));
    return Error{Code::io, "the arm became unreadable"};
  });
  check_refused(failed, Code::io, "became unreadable");
  BOOST_TEST(value_of(cache->info()).rows == 0);
  BOOST_TEST(value_of(cache->info()).arms == 0);
  // What the failed one had collected does not come back with the next.
  BOOST_TEST(value_of(enter(*cache, 100, 1, "whole")) == 1);
  BOOST_TEST(value_of(cache->info()).rows == 1);
}

BOOST_AUTO_TEST_CASE(the_first_answer_stays_and_a_used_one_is_only_touched) {
  const auto cache = open();
  BOOST_TEST(value_of(enter(*cache, 0, 2, "first ")) == 2);
  const std::int64_t before = value_of(cache->info()).oldest_use_unix_us.value();
  BOOST_TEST(value_of(enter(*cache, 0, 3, "second ")) == 1);
  BOOST_TEST(value_of(cache->find(key_of(0)))->text == "first 0");
  BOOST_TEST(value_of(cache->info()).arms == 2);
  const std::int64_t after = value_of(cache->info()).oldest_use_unix_us.value();
  BOOST_TEST(after > before);
  // A row that came from here is not entered anew, even when it has been pruned meanwhile.
  const auto came_back = cache->enter_arm(one_arm, [&](const ResponseCache::Put& put) -> Status {
    ResultRow row = answer("pruned meanwhile");
    row.cached = true;
    if (Status done = put(key_of(0), row); !done) return done;
    return put(key_of(77), row);
  });
  BOOST_TEST(value_of(came_back) == 0);
  BOOST_TEST(value_of(cache->find(key_of(0)))->text == "first 0");
  BOOST_TEST(!value_of(cache->find(key_of(77))).has_value());
  BOOST_TEST(value_of(cache->info()).newest_use_unix_us.value() > after);
  BOOST_TEST(value_of(cache->info()).arms == 2);
}

BOOST_AUTO_TEST_CASE(info_counts_by_engine) {
  const auto cache = open();
  CacheArm other = one_arm;
  other.model = "large";
  BOOST_TEST(value_of(enter(*cache, 0, 5, "a")) == 5);
  BOOST_TEST(value_of(enter(*cache, 5, 2, "b", other)) == 2);
  const CacheInfo info = value_of(cache->info());
  BOOST_TEST(info.rows == 7);
  BOOST_TEST(info.arms == 2);
  BOOST_REQUIRE(info.engines.size() == 2u);
  BOOST_TEST(info.engines[0].model == "large");
  BOOST_TEST(info.engines[0].rows == 2);
  BOOST_TEST(info.engines[1].rows == 5);
  BOOST_TEST(info.engines[1].engine_identity == one_arm.engine_identity);
  BOOST_TEST(info.bytes == info.engines[0].bytes + info.engines[1].bytes);
  BOOST_TEST(info.bytes > 7 * 100);
}

BOOST_AUTO_TEST_CASE(prune_removes_what_was_not_used_for_long) {
  {
    const auto cache = open();
    BOOST_TEST(value_of(enter(*cache, 0, 4, "old")) == 4);
    BOOST_TEST(value_of(enter(*cache, 10, 6, "new")) == 6);
  }
  change_file(path, "UPDATE responses SET used_unix_us = 1000 WHERE text LIKE 'old%'");
  const auto cache = open();
  CachePrune rules;
  BOOST_TEST(value_of(cache->prune(rules)).rows == 0);
  rules.used_before_unix_us = 2000;
  BOOST_TEST(value_of(cache->would_prune(rules)).rows == 4);
  BOOST_TEST(value_of(cache->info()).rows == 10);
  const CacheRemoval removed = value_of(cache->prune(rules));
  BOOST_TEST(removed.rows == 4);
  BOOST_TEST(removed.bytes > 0);
  BOOST_TEST(value_of(cache->info()).rows == 6);
  BOOST_TEST(value_of(cache->info()).arms == 1);
  BOOST_TEST(!value_of(cache->find(key_of(0))).has_value());
  BOOST_TEST(value_of(cache->find(key_of(10))).has_value());
}

BOOST_AUTO_TEST_CASE(prune_to_a_size_keeps_the_latest_used) {
  {
    const auto cache = open();
    BOOST_TEST(value_of(enter(*cache, 0, 10, "x")) == 10);
  }
  for (int i = 0; i < 10; ++i) {
    change_file(path, "UPDATE responses SET used_unix_us = " + std::to_string(100 + i) +
                          " WHERE text = 'x" + std::to_string(i) + "'");
  }
  const auto cache = open();
  const std::int64_t all = value_of(cache->info()).bytes;
  CachePrune rules;
  rules.max_bytes = all;
  BOOST_TEST(value_of(cache->would_prune(rules)).rows == 0);
  rules.max_bytes = all / 2;
  BOOST_TEST(value_of(cache->prune(rules)).rows == 5);
  BOOST_TEST(value_of(cache->info()).bytes <= all / 2);
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(value_of(cache->find(key_of(i))).has_value() == (i >= 5), i);
  }
  rules = {};
  rules.model = "nobody";
  BOOST_TEST(value_of(cache->prune(rules)).rows == 0);
  rules.model = one_arm.model;
  BOOST_TEST(value_of(cache->prune(rules)).rows == 5);
}

BOOST_AUTO_TEST_CASE(pruning_gives_the_space_back) {
  {
    const auto cache = open();
    BOOST_TEST(value_of(enter(*cache, 0, 2000, std::string(500, 'y'))) == 2000);
  }
  const auto before = std::filesystem::file_size(path);
  CachePrune rules;
  rules.max_bytes = 0;
  BOOST_TEST(value_of(open()->prune(rules)).rows == 2000);
  BOOST_TEST(std::filesystem::file_size(path) < before / 10);
}

BOOST_AUTO_TEST_CASE(a_changed_row_is_refused) {
  BOOST_TEST(value_of(enter(*open(), 0, 3, "text ")) == 3);
  require_ok(open()->verify());
  for (const char* change :
       {"text = 'Text 1'", "outcome = 'filtered'", "completion_tokens = 4",
        "prompt_tokens_evaluated = 11", "seed_honoured = NULL", "finished_unix_us = 5"}) {
    const std::string original = bytes_of(path);
    change_file(path, std::string("UPDATE responses SET ") + change + " WHERE text = 'text 1'");
    BOOST_TEST_CONTEXT(change) {
      const auto cache = open();
      check_refused(cache->find(key_of(1)), Code::data, "is not what was stored");
      check_refused(cache->verify(), Code::data, "is not what was stored");
      BOOST_TEST(value_of(cache->find(key_of(0))).has_value());
    }
    std::ofstream(path, std::ios::binary) << original;
  }
  // An answer under the key of another question.
  change_file(path,
              "UPDATE responses SET key = 'k' WHERE text = 'text 0';"
              "UPDATE responses SET key = '" +
                  key_of(0) + "' WHERE text = 'text 2'");
  check_refused(open()->find(key_of(0)), Code::data, "is not what was stored");
}

BOOST_AUTO_TEST_CASE(foreign_torn_and_newer_files_are_left_alone) {
  BOOST_TEST(value_of(enter(*open(), 0, 300, "some text ")) == 300);
  const std::string whole = bytes_of(path);
  const auto refused = [&](const std::string& bytes, Code code, const std::string& says) {
    std::ofstream(path, std::ios::binary) << bytes;
    BOOST_TEST_CONTEXT(says) {
      check_refused(ResponseCache::open(path), code, says);
      check_refused(ResponseCache::open_read_only(path), code, says);
      BOOST_TEST(bytes_of(path) == bytes);
    }
  };
  refused("", Code::data, "it is empty");
  refused("no database", Code::data, "this is no response cache");
  refused(whole.substr(0, whole.size() / 2), Code::data, "damaged");
  refused(whole.substr(0, whole.size() - 7), Code::data, "damaged");
  std::string newer = whole;
  newer[63] = 2;
  refused(newer, Code::unsupported, "made by a newer promptsweep");
  std::string arm_store = whole;
  arm_store[71] = 'A';
  refused(arm_store, Code::data, "is no response cache of promptsweep");
  std::ofstream(path, std::ios::binary) << whole;
  BOOST_TEST(value_of(open()->info()).rows == 300);
}

BOOST_AUTO_TEST_CASE(readers_write_nothing) {
  check_refused(ResponseCache::open_read_only(path), Code::not_found, "there is no response cache");
  BOOST_TEST(!std::filesystem::exists(path));
  BOOST_TEST(value_of(enter(*open(), 0, 2, "x")) == 2);
  const auto reader = value_of(ResponseCache::open_read_only(path));
  BOOST_TEST(value_of(reader->find(key_of(1))).has_value());
  check_refused(enter(*reader, 5, 1, "y"), Code::state, "for reading only");
  check_refused(reader->prune({}), Code::state, "for reading only");
  require_ok(reader->verify());
}

BOOST_AUTO_TEST_CASE(several_processes_share_it_from_its_first_moment) {
  constexpr int processes = 4, arms = 25, rows = 40;
  const auto work = [&](int me) {
    for (int arm = 0; arm < arms; ++arm) {
      auto cache = ResponseCache::open(path);  // creation, opening and closing are part of it
      if (!cache) return 2;
      // Half of each arm's keys are those of all processes.
      const int shared = 100'000 + arm * rows;
      const int own = (me * arms + arm) * rows;
      if (!enter(**cache, shared, rows / 2, "text ")) return 3;
      if (!enter(**cache, own, rows / 2, "text ")) return 4;
      for (int i = 0; i < rows / 2; ++i) {
        const auto found = (*cache)->find(key_of(shared + i));
        if (!found || !*found || (*found)->text != "text " + std::to_string(shared + i)) return 5;
      }
    }
    return 0;
  };
  std::vector<pid_t> children;
  for (int me = 0; me < processes; ++me) children.push_back(in_child([&] { return work(me); }));
  for (const pid_t child : children) BOOST_TEST(status_of(child) == 0);
  const auto cache = open();
  require_ok(cache->verify());
  BOOST_TEST(value_of(cache->info()).rows == (processes + 1) * arms * rows / 2);
}

BOOST_AUTO_TEST_CASE(a_long_arm_does_not_lock_others_out_while_it_is_read) {
  const auto slow = open();
  const auto other = open();
  const auto entered = slow->enter_arm(one_arm, [&](const ResponseCache::Put& put) -> Status {
    require_ok(put(key_of(0), answer("slow")));
    // A second writer in the middle of the first's rows.
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(value_of(enter(*other, 1, 5, "quick")) == 5);
    BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(5)));
    return put(key_of(10), answer("slow"));
  });
  BOOST_TEST(value_of(entered) == 2);
  BOOST_TEST(value_of(other->info()).rows == 7);
}

BOOST_AUTO_TEST_CASE(kill_at_any_moment_leaves_whole_arms) {
  constexpr int arm_rows = 200;
  std::int64_t arms_seen = 0;
  for (int round = 0; round < 12; ++round) {
    const pid_t child = in_child([&] {
      auto cache = ResponseCache::open(path);
      if (!cache) return 2;
      for (int arm = 0;; ++arm) {
        CacheArm from = one_arm;
        from.arm_id = std::to_string(round) + "-" + std::to_string(arm);
        const int first = (round * 10'000 + arm) * arm_rows;
        if (!enter(**cache, first, arm_rows, "t", from)) return 3;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(15 + 9 * round));
    ::kill(child, SIGKILL);
    BOOST_TEST(status_of(child) == 1000 + SIGKILL);
    const auto cache = open();
    require_ok(cache->verify());
    const CacheInfo info = value_of(cache->info());
    BOOST_TEST(info.rows == info.arms * arm_rows);
    BOOST_TEST(info.arms >= arms_seen);
    arms_seen = info.arms;
  }
  BOOST_TEST(arms_seen > 12);
}

BOOST_AUTO_TEST_SUITE_END()
