// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "base/env.h"
#include "temporary_folder.h"

using namespace promptsweep;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  BOOST_REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

// No file may grow beyond `bytes`: what a full disk does to a writer, without a disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_before_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, signal_before_);
  }

 private:
  rlimit before_{};
  void (*signal_before_)(int);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(an_atomic_write_replaces_the_whole_file) {
  TemporaryFolder folder;
  const fs::path path = folder / "a/b/file.json";
  const std::string first(300'000, 'x');
  const std::string second("new\0bytes", 9);
  BOOST_REQUIRE(write_file_atomic(path, first));
  BOOST_TEST(read_file(path).value() == first);
  BOOST_REQUIRE(write_file_atomic(path, second));
  BOOST_TEST(read_file(path).value() == second);
  BOOST_REQUIRE(write_file_atomic(path, ""));
  BOOST_TEST(read_file(path).value() == "");
  BOOST_TEST(names_in(path.parent_path()) == std::vector<std::string>{"file.json"});
}

BOOST_AUTO_TEST_CASE(permissions_follow_the_umask) {
  TemporaryFolder folder;
  {
    const Umask open_to_the_group(0002);
    BOOST_REQUIRE(write_file_atomic(folder / "shared", "x"));
    BOOST_REQUIRE(make_folders(folder / "group/deep"));
  }
  {
    const Umask closed(0077);
    BOOST_REQUIRE(write_file_atomic(folder / "private", "x"));
  }
  BOOST_TEST(mode_of(folder / "shared") == 0664u);
  BOOST_TEST(mode_of(folder / "group") == 0775u);
  BOOST_TEST(mode_of(folder / "group/deep") == 0775u);
  BOOST_TEST(mode_of(folder / "private") == 0600u);
}

BOOST_AUTO_TEST_CASE(pieces_arrive_in_order_and_only_at_the_commit) {
  TemporaryFolder folder;
  const fs::path path = folder / "file";
  BOOST_REQUIRE(write_file_atomic(path, "old"));
  Result<AtomicFile> file = AtomicFile::create(path);
  BOOST_REQUIRE(file);
  std::string expected;
  for (int i = 0; i < 50'000; ++i) {
    const std::string piece = std::to_string(i) + "\n";
    expected += piece;
    BOOST_REQUIRE(file->append(piece));
  }
  BOOST_TEST(read_file(path).value() == "old");
  BOOST_REQUIRE(file->commit());
  BOOST_CHECK(read_file(path).value() == expected);
  BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"file"});
}

BOOST_AUTO_TEST_CASE(without_a_commit_the_old_file_stays_and_nothing_else) {
  TemporaryFolder folder;
  const fs::path path = folder / "file";
  BOOST_REQUIRE(write_file_atomic(path, "old"));
  {
    Result<AtomicFile> file = AtomicFile::create(path);
    BOOST_REQUIRE(file);
    const AtomicFile moved = std::move(file).value();
    BOOST_TEST(names_in(folder.path()).size() == 2);
  }
  BOOST_TEST(read_file(path).value() == "old");
  BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"file"});
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_half_way_leaves_the_old_file) {
  TemporaryFolder folder;
  const fs::path path = folder / "file";
  BOOST_REQUIRE(write_file_atomic(path, "old"));
  Status written = ok;
  {
    const FileSizeLimit limit(1000);
    written = write_file_atomic(path, std::string(100'000, 'x'));
  }
  BOOST_REQUIRE(!written);
  BOOST_TEST(written.error().text.find(path.string()) != std::string::npos);
  BOOST_TEST(read_file(path).value() == "old");
  BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"file"});
}

BOOST_AUTO_TEST_CASE(what_cannot_be_created_is_an_error_with_its_path) {
  TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  const Status written = write_file_atomic(folder / "file/below", "y");
  BOOST_REQUIRE(!written);
  BOOST_CHECK(written.error().code == Code::io);
  BOOST_TEST(written.error().text.find("file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(reading_tells_absent_from_unreadable) {
  TemporaryFolder folder;
  const Result<std::string> absent = read_file(folder / "absent");
  BOOST_REQUIRE(!absent);
  BOOST_CHECK(absent.error().code == Code::not_found);
  const Result<std::string> directory = read_file(folder.path());
  BOOST_REQUIRE(!directory);
  BOOST_CHECK(directory.error().code == Code::io);
}

BOOST_AUTO_TEST_CASE(a_rename_replaces) {
  TemporaryFolder folder;
  std::ofstream(folder / "from") << "new";
  std::ofstream(folder / "to") << "old";
  BOOST_REQUIRE(rename_durably(folder / "from", folder / "to"));
  BOOST_TEST(read_file(folder / "to").value() == "new");
  BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"to"});
  BOOST_TEST(!rename_durably(folder / "absent", folder / "to"));
}

BOOST_AUTO_TEST_SUITE_END()
