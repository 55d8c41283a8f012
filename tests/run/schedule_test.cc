// SPDX-License-Identifier: Apache-2.0
#include "run/schedule.h"

#include <boost/test/unit_test.hpp>
#include <limits>

using namespace promptsweep;

namespace {

using Needs = std::vector<std::optional<EngineNeed>>;
constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

}  // namespace

BOOST_AUTO_TEST_SUITE(schedule)

BOOST_AUTO_TEST_CASE(alone_every_engine_may_be_tried) {
  BOOST_TEST(fits(std::nullopt, {}, {1, 1, 1, 1}));
  BOOST_TEST(fits(EngineNeed{huge, huge, 99}, {}, {1, 1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(each_resource_bounds_the_sum) {
  const EngineBudget budget{100, 50, 4, 0};
  BOOST_TEST(fits(EngineNeed{60, 0, 0}, Needs{EngineNeed{40, 50, 4}}, budget));
  BOOST_TEST(!fits(EngineNeed{61, 0, 0}, Needs{EngineNeed{40, 0, 0}}, budget));
  BOOST_TEST(!fits(EngineNeed{0, 1, 0}, Needs{EngineNeed{0, 25, 0}, EngineNeed{0, 25, 0}}, budget));
  BOOST_TEST(fits(EngineNeed{0, 0, 2}, Needs{EngineNeed{0, 0, 2}}, budget));
  BOOST_TEST(!fits(EngineNeed{0, 0, 3}, Needs{EngineNeed{0, 0, 2}}, budget));
  BOOST_TEST(!fits(EngineNeed{huge, 0, 0}, Needs{EngineNeed{1, 0, 0}}, budget));
  BOOST_TEST(fits(EngineNeed{huge, huge, 9}, Needs{EngineNeed{0, 0, 0}}, {}));
}

BOOST_AUTO_TEST_CASE(an_unknown_need_shares_with_nobody) {
  BOOST_TEST(!fits(std::nullopt, Needs{EngineNeed{}}, {}));
  BOOST_TEST(!fits(EngineNeed{}, Needs{std::nullopt}, {}));
}

BOOST_AUTO_TEST_CASE(the_number_of_engines_may_be_bounded) {
  EngineBudget budget;
  budget.engines = 2;
  BOOST_TEST(fits(EngineNeed{}, Needs{EngineNeed{}}, budget));
  BOOST_TEST(!fits(EngineNeed{}, Needs{EngineNeed{}, EngineNeed{}}, budget));
}

BOOST_AUTO_TEST_SUITE_END()
