// SPDX-License-Identifier: Apache-2.0
#include "backend/machine.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include "base/env.h"
#include "temporary_folder.h"

namespace promptsweep {
namespace {

constexpr std::uint64_t gib = 1ull << 30;

struct MachineFixture {
  const std::string library = PRETEND_NVML_LIBRARY;
  ~MachineFixture() { ::unsetenv("PRETEND_NVML"); }
  static void pretend(const char* what) { ::setenv("PRETEND_NVML", what, 1); }
  int open_sessions() const {
    const auto opened = SharedLibrary::open(library);
    BOOST_REQUIRE(opened.has_value());
    return reinterpret_cast<int (*)()>(opened->symbol("pretend_nvml_open_sessions"))();
  }
};

BOOST_FIXTURE_TEST_SUITE(machine, MachineFixture)

BOOST_AUTO_TEST_CASE(gpus_are_asked_through_the_drivers_library) {
  const auto gpus = gpu_memory(library);
  BOOST_REQUIRE(bool(gpus));
  BOOST_REQUIRE(gpus->size() == 2u);
  BOOST_TEST((*gpus)[0].name == "Pretend GPU A");
  BOOST_TEST((*gpus)[0].total_bytes == 24 * gib);
  BOOST_TEST((*gpus)[0].free_bytes == 20 * gib);
  BOOST_TEST((*gpus)[1].free_bytes == gib / 2);
  BOOST_TEST(open_sessions() == 0);
  const MachineMemory all = machine_memory(library);
  BOOST_TEST(all.gpus.size() == 2u);
  BOOST_TEST(all.problem.empty());
  BOOST_TEST(all.free_ram_bytes.value() > 0u);
}

BOOST_AUTO_TEST_CASE(no_library_is_no_gpu) {
  for (const char* absent : {"libno-such-thing.so.1", "/nowhere/libnvidia-ml.so.1"}) {
    const auto gpus = gpu_memory(absent);
    BOOST_REQUIRE(bool(gpus));
    BOOST_TEST(gpus->empty());
  }
  pretend("no gpu");
  BOOST_TEST(gpu_memory(library)->empty());
  BOOST_TEST(open_sessions() == 0);
}

BOOST_AUTO_TEST_CASE(a_driver_that_does_not_answer_is_told) {
  for (const auto& [what, function] : {std::pair("no driver", "nvmlInit_v2: 9"),
                                       std::pair("lost gpu", "nvmlDeviceGetMemoryInfo: 15")}) {
    pretend(what);
    const auto gpus = gpu_memory(library);
    BOOST_REQUIRE(!gpus);
    BOOST_TEST((gpus.error().code == Code::unavailable));
    BOOST_TEST(gpus.error().text.find(function) != std::string::npos);
    const MachineMemory all = machine_memory(library);
    BOOST_TEST(all.gpus.empty());
    BOOST_TEST(all.problem == gpus.error().text);
    BOOST_TEST(!memory_budget(all, {}).vram_bytes.has_value());
    BOOST_TEST(open_sessions() == 0);
  }
  // Some other library of that name.
  const auto other = gpu_memory("libsqlite3.so.0");
  BOOST_REQUIRE(!other);
  BOOST_TEST(other.error().text.find("lacks a function") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_budget_is_the_wish_or_what_is_free) {
  MachineMemory machine;
  machine.free_ram_bytes = 10 * gib;
  machine.gpus = {{"a", 24 * gib, 20 * gib}, {"b", 8 * gib, gib / 2}};
  MemoryBudget budget = memory_budget(machine, {});
  BOOST_TEST(budget.ram_bytes.value() == 9 * gib);
  BOOST_TEST(budget.vram_bytes.value() == 19 * gib);  // b has less than its reserve
  MemoryWish wish;
  wish.reserve_gb = 0.25;
  budget = memory_budget(machine, wish);
  BOOST_TEST(budget.ram_bytes.value() == 10 * gib - gib / 4);
  BOOST_TEST(budget.vram_bytes.value() == 20 * gib);
  wish.ram_gb = 2.5;  // said by a person: taken as it is
  wish.vram_gb = 0;
  budget = memory_budget(machine, wish);
  BOOST_TEST(budget.ram_bytes.value() == 5 * gib / 2);
  BOOST_TEST(budget.vram_bytes.value() == 0u);
  machine = {};
  budget = memory_budget(machine, {});
  BOOST_TEST(!budget.ram_bytes.has_value());
  BOOST_TEST(budget.vram_bytes.value() == 0u);  // no GPU is known, not unknown
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace promptsweep
