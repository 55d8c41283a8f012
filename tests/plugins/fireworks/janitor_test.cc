// SPDX-License-Identifier: Apache-2.0
#include "janitor.h"

#include <boost/test/unit_test.hpp>

#include "canned.h"

using namespace fireworks;

namespace {

struct Stage {
  Stage() {
    for (const char* call : {"DELETE job", "DELETE job-c1", "DELETE dataset", "DELETE out"})
      provider.on(call, {reply(200)});
  }
  void add(bool all_answered = true) {
    janitor.add({{"j", "j-c1"}, {"out", "d"}, all_answered}, [this] { return taken; });
  }

  CannedProvider provider;
  Options options = batch_options();
  bool taken = true;
  Janitor janitor{provider, options, [](const std::string&) {}};
  const Janitor::Time start = std::chrono::steady_clock::now();
};

}  // namespace

// A crash must still find what the host has not stored for sure.
BOOST_AUTO_TEST_CASE(nothing_goes_before_it_was_taken_and_has_settled) {
  Stage s;
  s.taken = false;
  s.add();
  s.janitor.sweep(s.start);
  s.janitor.sweep(s.start + std::chrono::hours(1));
  BOOST_TEST(s.provider.order.empty());
  s.taken = true;
  s.janitor.sweep(s.start + std::chrono::hours(2));
  s.janitor.sweep(s.start + std::chrono::hours(2) + std::chrono::seconds(4));
  BOOST_TEST(s.provider.order.empty());
  s.janitor.sweep(s.start + std::chrono::hours(2) + std::chrono::seconds(5));
  // The job itself, by which everything is found, after its continuation; the data last.
  const std::vector<std::string> order{"DELETE job-c1", "DELETE job", "DELETE out",
                                       "DELETE dataset"};
  BOOST_TEST(s.provider.order == order);
  s.janitor.sweep(s.start + std::chrono::hours(3));
  BOOST_TEST(s.provider.order.size() == 4u);
}

BOOST_AUTO_TEST_CASE(the_end_of_an_instance_waits_a_moment_for_what_was_just_taken) {
  Stage s;
  s.add();
  s.janitor.finish();
  BOOST_TEST(s.provider.order.size() == 4u);
  BOOST_TEST((std::chrono::steady_clock::now() - s.start >= Janitor::settling_at_end));

  Stage untaken;
  untaken.taken = false;
  untaken.add();
  untaken.janitor.finish();
  BOOST_TEST(untaken.provider.order.empty());
}

BOOST_AUTO_TEST_CASE(the_policy_decides) {
  const auto deletes = [](Cleanup policy, bool all_answered) {
    Stage s;
    s.options.cleanup = policy;
    s.add(all_answered);
    s.janitor.sweep(s.start);
    s.janitor.sweep(s.start + std::chrono::hours(1));
    return s.provider.order.size();
  };
  BOOST_TEST(deletes(Cleanup::after_success, true) == 4u);
  BOOST_TEST(deletes(Cleanup::after_success, false) == 0u);
  BOOST_TEST(deletes(Cleanup::always, false) == 4u);
  BOOST_TEST(deletes(Cleanup::keep, true) == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_gone_is_no_failure_and_silence_ends_the_sweep) {
  Stage s;
  s.provider.on("DELETE job-c1", {absent()});
  s.provider.on("DELETE job", {lost()});
  s.add();
  s.janitor.sweep(s.start);
  s.janitor.sweep(s.start + std::chrono::hours(1));
  const std::vector<std::string> order{"DELETE job-c1", "DELETE job"};
  BOOST_TEST(s.provider.order == order);
}
