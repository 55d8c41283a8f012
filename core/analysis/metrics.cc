// SPDX-License-Identifier: Apache-2.0
#include "analysis/metrics.h"

#include <array>

namespace promptsweep {
namespace {

using Value = std::optional<double>;

constexpr std::array<MetricDefinition, 6> definitions{{
    {"em", true, true, true, [](const ItemScore& s) { return Value(s.em); }},
    {"em_answerable", false, true, true,
     [](const ItemScore& s) { return s.is_unanswerable ? Value() : Value(s.em); }},
    {"f1", true, true, false, [](const ItemScore& s) { return s.f1; }},
    {"abstain_rate", true, true, true, [](const ItemScore& s) { return Value(s.abstain_rate); }},
    {"false_answer_rate", false, true, true,
     [](const ItemScore& s) { return s.is_unanswerable ? s.false_answer_rate : Value(); }},
    {"unsupported_rate", false, true, true, [](const ItemScore& s) { return s.unsupported_rate; }},
}};

}  // namespace

std::span<const MetricDefinition> metric_definitions() { return definitions; }

}  // namespace promptsweep
