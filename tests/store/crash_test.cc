// SPDX-License-Identifier: Apache-2.0
// kill -9 at any moment: what was acknowledged is there, nothing is there twice.
#define BOOST_TEST_MODULE store_crash
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "fixtures.h"
#include "plan_fixture.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

constexpr int request_total = 12'000;

// Writes an empty line when it begins, then the ids of flushed rows, each after its flush.
[[noreturn]] void write_until_killed(const std::filesystem::path& path, int acknowledge) {
  auto store = ArmStore::open(path);
  if (!store || !(*store)->initialise(arm_spec(), request_rows(request_total))) ::_exit(3);
  const auto pending = (*store)->pending();
  if (!pending || ::write(acknowledge, "\n", 1) != 1) ::_exit(4);
  const auto half = [&](std::size_t parity) {
    std::vector<std::string> group;
    for (std::size_t i = parity; i < pending->size(); i += 2) {
      const std::string& id = (*pending)[i].request_id;
      const std::string text(300, static_cast<char>('a' + i % 26));
      if (!(*store)->put_result(result_for(id, Outcome::error_backend)) ||
          !(*store)->put_result(result_for(id, Outcome::ok, text)) ||
          !(*store)->put_result(result_for(id, Outcome::ok, "again"))) {
        ::_exit(5);
      }
      group.push_back(id);
      if (group.size() < 7) continue;
      if (!(*store)->flush()) ::_exit(6);
      std::string lines;
      for (const std::string& done : group) lines += done + "\n";
      group.clear();
      // Below PIPE_BUF: the two threads' lines do not mix.
      if (::write(acknowledge, lines.data(), lines.size()) < 0) ::_exit(7);
    }
  };
  std::thread other(half, 1);
  half(0);
  other.join();
  ::_exit(0);
}

std::set<std::string> lines_of(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(descriptor, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(size));
  }
  std::set<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    if (end > start) lines.insert(text.substr(start, end - start));
  }
  return lines;
}

// Every accepted row once, with the text that its first answer had.
std::set<std::string> accepted_ids(ArmStore& store) {
  std::set<std::string> ids;
  require_ok(store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    BOOST_REQUIRE(ids.insert(row.result.request_id).second);
    BOOST_REQUIRE_EQUAL(row.result.text.size(), 300U);
    return ok;
  }));
  return ids;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_writer_killed_at_random_moments_loses_and_repeats_nothing) {
  TemporaryFolder folder;
  const auto path = folder / "arm.sqlite";
  std::mt19937 random(20260504);
  std::set<std::string> acknowledged;
  int killed = 0;
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(path, ends[1]);
    }
    ::close(ends[1]);
    // The first rounds end before or within the creation, the others within the work.
    char begun = 0;
    if (round >= 4) BOOST_REQUIRE_EQUAL(::read(ends[0], &begun, 1), 1);
    ::usleep(static_cast<useconds_t>(random() % (round < 4 ? 15'000 : 70'000)));
    ::kill(child, SIGKILL);
    acknowledged.merge(lines_of(ends[0]));
    ::close(ends[0]);
    int status = 0;
    BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      ++killed;
    } else {
      BOOST_REQUIRE_EQUAL(WEXITSTATUS(status), 0);
    }
    auto store = value_of(ArmStore::open(path));
    require_ok(store->verify());
    if (value_of(store->progress()).expected == 0) continue;
    BOOST_REQUIRE_EQUAL(value_of(store->progress()).expected, request_total);
    const auto accepted = accepted_ids(*store);
    for (const std::string& id : acknowledged) BOOST_REQUIRE(accepted.contains(id));
    const auto pending = value_of(store->pending());
    BOOST_REQUIRE_EQUAL(accepted.size() + pending.size(), std::size_t{request_total});
  }
  BOOST_TEST(killed >= 10);
  BOOST_TEST(acknowledged.size() > 100U);

  auto store = value_of(ArmStore::open(path));
  for (const RequestRow& row : value_of(store->pending())) {
    require_ok(store->put_result(result_for(row.request_id, Outcome::ok, std::string(300, 'z'))));
  }
  require_ok(store->flush());
  BOOST_TEST(value_of(store->progress()).complete());
  BOOST_TEST(accepted_ids(*store).size() == std::size_t{request_total});
  require_ok(store->verify());
  BOOST_TEST_MESSAGE(killed << " kills, " << acknowledged.size() << " rows acknowledged in them");
}

BOOST_AUTO_TEST_CASE(a_planner_killed_at_random_moments_leaves_one_plan_or_none) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  const RunPlan plan = two_set_plan();
  std::vector<Item> items;
  for (int i = 0; i < 500; ++i) items.push_back(item(i));
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto run = RunStore::open_for_writing(path);
      if (!run) ::_exit(3);
      for (int i = 0;; ++i) {
        if (!(*run)->record_phase({"build", std::to_string(i), "h", "{}", "t"})) ::_exit(4);
        if (!(*run)->write_plan(plan, ItemList(items), true)) ::_exit(5);
      }
    }
    ::usleep(static_cast<useconds_t>(random() % 60'000));
    ::kill(child, SIGKILL);
    int status = 0;
    BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
    BOOST_REQUIRE(WIFSIGNALED(status));
    auto run = value_of(RunStore::open_for_writing(path));
    require_ok(run->verify());
    const auto read = run->plan();
    if (read) {
      BOOST_TEST(to_json(*read) == to_json(plan));
      BOOST_TEST(read_all(run->items()).size() == items.size());
    } else {
      check_refused(read, Code::state, "no plan yet");
      BOOST_TEST(read_all(run->items()).empty());
    }
  }
  auto run = value_of(RunStore::open_for_writing(path));
  require_ok(run->write_plan(plan, ItemList(items), true));
  BOOST_TEST(to_json(value_of(run->plan())) == to_json(plan));
}

namespace {

// In a process of its own, since it limits the size of the process' files. Returns the line that
// went wrong, or 0.
int write_on_a_full_disk(const std::filesystem::path& path) {
  ::signal(SIGXFSZ, SIG_IGN);
  const auto rows = request_rows(100);
  auto store = ArmStore::open(path);
  if (!store || !(*store)->initialise(arm_spec(), rows)) return __LINE__;
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 100'000;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string text(10'000, 'x');
  for (int i = 0; i < 50; ++i) {
    if (!(*store)->put_result(result_for(rows[i].request_id, Outcome::ok, text))) break;
  }
  const Status full = (*store)->flush();
  if (full || (full.error().code != Code::resource && full.error().code != Code::io)) {
    return __LINE__;
  }
  if (full.error().text.find("arm.sqlite") == std::string::npos) return __LINE__;
  // The error comes back and the row is not taken.
  if ((*store)->put_result(result_for(rows[60].request_id, Outcome::ok, text))) return __LINE__;
  const auto progress = (*store)->progress();
  if (!progress || progress->accepted == 50) return __LINE__;

  limit.rlim_cur = before;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  if (!(*store)->flush()) return __LINE__;
  if (!(*store)->put_result(result_for(rows[60].request_id, Outcome::ok, text))) return __LINE__;
  if (!(*store)->flush() || !(*store)->verify()) return __LINE__;
  for (int i : {0, 49, 60}) {
    const auto accepted = (*store)->accepted(rows[i].request_id);
    if (!accepted || !*accepted || (*accepted)->result.text != text) return __LINE__;
  }
  const auto duplicates = (*store)->duplicates_dropped();
  return duplicates && *duplicates == 0 ? 0 : __LINE__;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_and_costs_no_row) {
  TemporaryFolder folder;
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int line = write_on_a_full_disk(folder / "arm.sqlite");
    ::_exit(::write(ends[1], &line, sizeof line) == sizeof line ? 0 : 1);
  }
  ::close(ends[1]);
  int line = -1;
  BOOST_REQUIRE_EQUAL(::read(ends[0], &line, sizeof line), static_cast<ssize_t>(sizeof line));
  BOOST_TEST(line == 0, "write_on_a_full_disk stopped at line " << line);
  ::close(ends[0]);
  BOOST_REQUIRE_EQUAL(::waitpid(child, nullptr, 0), child);
}
