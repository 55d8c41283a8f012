// SPDX-License-Identifier: Apache-2.0
#include "store/stop_request.h"

#include <boost/test/unit_test.hpp>

#include "fixtures.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace promptsweep;
using namespace store_test;

BOOST_AUTO_TEST_SUITE(stop_request)

// D40: a request that was left behind blocks nobody.
BOOST_AUTO_TEST_CASE(a_request_is_for_one_holder_of_the_lock) {
  TemporaryFolder folder;
  const auto path = folder / "run_x";
  BOOST_TEST(!has_writer(path).value());
  BOOST_TEST(!std::filesystem::exists(path));
  auto first = value_of(RunStore::open_for_writing(path));
  BOOST_TEST(has_writer(path).value());
  const std::string note = writer_note(path);
  BOOST_TEST(note.starts_with("pid "));
  BOOST_TEST(!is_stop_requested(path, note));
  require_ok(request_stop(path, note));
  BOOST_TEST(is_stop_requested(path, note));
  BOOST_TEST(writer_note(path) == note);
  first.reset();
  BOOST_TEST(!has_writer(path).value());

  auto second = value_of(RunStore::open_for_writing(path));
  BOOST_TEST(writer_note(path) != note);
  BOOST_TEST(!is_stop_requested(path, writer_note(path)));
  clear_stop_request(path);
  BOOST_TEST(!is_stop_requested(path, note));
  BOOST_TEST(!is_stop_requested(path, ""));
}

BOOST_AUTO_TEST_CASE(the_last_error_is_kept) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_x"));
  BOOST_TEST(value_of(run->last_error()).empty());
  require_ok(run->set_last_error("{}"));
  run.reset();
  BOOST_TEST(value_of(value_of(RunStore::open_read_only(folder / "run_x"))->last_error()) == "{}");
}

BOOST_AUTO_TEST_SUITE_END()
