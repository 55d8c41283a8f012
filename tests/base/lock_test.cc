// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "base/env.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

bool is_free(const std::filesystem::path& path) {
  Result<std::optional<FileLock>> lock = FileLock::try_take(path, "probe", nullptr);
  BOOST_REQUIRE(lock);
  return lock->has_value();
}

// A process that takes the lock, says so through a pipe, and waits to be killed.
class Holder {
 public:
  explicit Holder(const std::filesystem::path& path) {
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    BOOST_REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      Result<std::optional<FileLock>> lock = FileLock::try_take(path, "the other process", nullptr);
      const char taken = lock && lock->has_value() ? 'y' : 'n';
      if (::write(ends[1], &taken, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    char taken = 0;
    BOOST_REQUIRE(::read(ends[0], &taken, 1) == 1);
    ::close(ends[0]);
    BOOST_REQUIRE(taken == 'y');
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { die(); }
  void die() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(lock)

BOOST_AUTO_TEST_CASE(a_lock_dies_with_its_process) {
  TemporaryFolder folder;
  const auto path = folder / "sub/run.lock";
  Holder other(path);
  std::string holder;
  Result<std::optional<FileLock>> refused = FileLock::try_take(path, "this process", &holder);
  BOOST_REQUIRE(refused);
  BOOST_TEST(!refused->has_value());
  BOOST_TEST(holder == "the other process");
  other.die();
  Result<std::optional<FileLock>> taken = FileLock::try_take(path, "this process", &holder);
  BOOST_REQUIRE(taken);
  BOOST_REQUIRE(taken->has_value());
  BOOST_TEST(read_file(path).value() == "this process\n");
}

BOOST_AUTO_TEST_CASE(a_lock_is_held_until_destroyed_and_moves) {
  TemporaryFolder folder;
  const auto path = folder / "lock";
  {
    Result<std::optional<FileLock>> lock = FileLock::try_take(path, "first", nullptr);
    BOOST_REQUIRE(lock && lock->has_value());
    BOOST_TEST(!is_free(path));
    const FileLock moved = std::move(**lock);
    BOOST_TEST(!is_free(path));
  }
  BOOST_TEST(is_free(path));
}

BOOST_AUTO_TEST_CASE(a_refused_taker_leaves_the_holders_note) {
  TemporaryFolder folder;
  const auto path = folder / "lock";
  Result<std::optional<FileLock>> lock = FileLock::try_take(path, process_note(), nullptr);
  BOOST_REQUIRE(lock && lock->has_value());
  std::string holder;
  BOOST_REQUIRE(FileLock::try_take(path, "intruder", &holder));
  BOOST_TEST(holder == process_note());
  BOOST_TEST(read_file(path).value() == process_note() + "\n");
  BOOST_TEST(holder.find("pid " + std::to_string(::getpid()) + " on host ") == 0u);
}

BOOST_AUTO_TEST_CASE(a_reader_sees_who_holds_a_lock_and_takes_nothing) {
  TemporaryFolder folder;
  const auto path = folder / "lock";
  BOOST_TEST(!FileLock::holder(path).value());
  BOOST_TEST(!std::filesystem::exists(path));
  {
    Holder other(path);
    BOOST_TEST(FileLock::holder(path).value().value() == "the other process");
  }
  BOOST_TEST(!FileLock::holder(path).value());
  BOOST_TEST(read_file(path).value() == "the other process\n");
  BOOST_TEST(is_free(path));
}

// A reader that looks in a loop must not make a writer believe that the run is taken.
BOOST_AUTO_TEST_CASE(readers_do_not_get_in_a_writers_way) {
  TemporaryFolder folder;
  const auto path = folder / "lock";
  BOOST_TEST(is_free(path));
  const pid_t reader = ::fork();
  BOOST_REQUIRE(reader >= 0);
  if (reader == 0) {
    for (;;) {
      static_cast<void>(FileLock::holder(path));
      ::usleep(500);
    }
  }
  int taken = 0;
  for (int i = 0; i < 200; ++i) taken += is_free(path) ? 1 : 0;
  ::kill(reader, SIGKILL);
  ::waitpid(reader, nullptr, 0);
  BOOST_TEST(taken == 200);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(program)

BOOST_AUTO_TEST_CASE(a_program_is_run_to_its_end) {
  // More than a pipe holds, on both sides.
  const ProgramEnd end =
      run_program(
          {"sh", "-c", "cat; head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3"})
          .value();
  BOOST_TEST(end.exit_code == 3);
  BOOST_TEST(end.output.size() == 200000u);
  BOOST_TEST(end.errors.size() == 200000u);
  BOOST_TEST(run_program({"sh", "-c", "kill -9 $$"}).value().exit_code == 128 + SIGKILL);
  const Result<ProgramEnd> none = run_program({"no-such-program-here"});
  BOOST_REQUIRE(!none);
  BOOST_TEST((none.error().code == Code::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
