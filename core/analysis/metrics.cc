// SPDX-License-Identifier: Apache-2.0
#include "analysis/metrics.h"

#include <array>

namespace promptsweep {
namespace {

using Value = std::optional<double>;

Value share(std::uint16_t count, std::uint16_t of) {
  return of == 0 ? Value() : Value(static_cast<double>(count) / of);
}

constexpr std::array<MetricDefinition, 6> definitions{{
    {"em", true, true, true, [](const ItemSums& s, bool) { return share(s.em, s.samples); }},
    {"em_answerable", false, true, true,
     [](const ItemSums& s, bool is_unanswerable) {
       return is_unanswerable ? Value() : share(s.em, s.samples);
     }},
    {"f1", true, true, false,
     [](const ItemSums& s, bool) { return s.f1_measured > 0 ? Value(s.f1) : Value(); }},
    {"abstain_rate", true, true, true,
     [](const ItemSums& s, bool) { return share(s.abstained, s.samples); }},
    {"false_answer_rate", false, true, true,
     [](const ItemSums& s, bool is_unanswerable) {
       return is_unanswerable ? share(s.false_answers, s.false_answers_measured) : Value();
     }},
    {"unsupported_rate", false, true, true,
     [](const ItemSums& s, bool) { return share(s.unsupported, s.unsupported_measured); }},
}};

}  // namespace

std::span<const MetricDefinition> metric_definitions() { return definitions; }

}  // namespace promptsweep
