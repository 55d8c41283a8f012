// SPDX-License-Identifier: Apache-2.0
#include "store/archive.h"

#include "base/env.h"
#include "plan_fixture.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

void sealed_run(const std::filesystem::path& folder, const std::string& report) {
  auto run = value_of(RunStore::open_for_writing(folder));
  require_ok(run->write_plan(two_set_plan(), ItemList(two_items()), false));
  value_of(put_artifact(folder / "report.md", report));
  require_ok(write_file_atomic(folder / "odd:name\n", "x"));
  require_ok(seal_run(*run));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(archive)

BOOST_AUTO_TEST_CASE(an_archive_is_written_once_and_holds_what_is_sealed) {
  TemporaryFolder folder;
  const auto run = folder / "a:b" / "run_r1";
  sealed_run(run, "# Report\n");
  BOOST_TEST(value_of(write_archive(run)));
  const auto file = archive_path(run);
  BOOST_TEST(file == folder / "a:b" / "run_r1.tar.zst");
  const std::string bytes = value_of(read_file(file));
  BOOST_TEST(!value_of(write_archive(run)));
  BOOST_TEST(value_of(read_file(file)) == bytes);
  const ProgramEnd list =
      value_of(run_program({"tar", "--zstd", "--force-local", "-tf", file.string()}));
  BOOST_TEST(list.output.find("run_r1/run.sqlite\n") != std::string::npos);
  BOOST_TEST(list.output.find("run_r1/SHA256SUMS\n") != std::string::npos);
  BOOST_TEST(list.output.find(".lock") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_has_the_archives_name_stays) {
  TemporaryFolder folder;
  const auto run = folder / "run_r1", other = folder / "other" / "run_r1";
  sealed_run(run, "# Report\n");
  sealed_run(other, "# Another\n");
  BOOST_TEST(value_of(write_archive(other)));
  const std::string foreign = value_of(read_file(archive_path(other)));
  for (const std::string& bytes :
       {foreign, std::string("anything"), foreign.substr(0, foreign.size() / 2)}) {
    require_ok(write_file_atomic(archive_path(run), bytes));
    check_refused(write_archive(run), Code::state, "it stays as it is");
    BOOST_TEST(value_of(read_file(archive_path(run))) == bytes);
  }
  // The right archive, cut off.
  std::filesystem::remove(archive_path(run));
  BOOST_TEST(value_of(write_archive(run)));
  const std::string whole = value_of(read_file(archive_path(run)));
  require_ok(write_file_atomic(archive_path(run), whole.substr(0, whole.size() - 4)));
  check_refused(write_archive(run), Code::state, "it stays as it is");
}

BOOST_AUTO_TEST_CASE(a_failure_leaves_no_archive) {
  TemporaryFolder folder;
  check_refused(write_archive(folder / "run_none"), Code::io, "cannot write");
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_SUITE_END()
