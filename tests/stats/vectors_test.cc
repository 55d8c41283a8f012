// SPDX-License-Identifier: Apache-2.0
// Every statistic against the oracle vectors that lie beside the checkout (50-digit values computed
// from the definitions), within the tolerances that the vector files state.
#include <regex.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "shared_data.h"
#include "stats/bootstrap.h"
#include "stats/effect_sizes.h"
#include "stats/mcnemar.h"
#include "stats/multiplicity.h"
#include "stats/paired_t.h"
#include "stats/permutation.h"
#include "stats/wilcoxon.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

using Optionals = std::vector<std::optional<double>>;
// Field -> what this implementation says; absent: undefined.
using Got = std::map<std::string, std::optional<double>>;

constexpr int resamples = 10000;  // what the accept_10k windows are made for

double number(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const auto text = value.get<std::string>();
  BOOST_REQUIRE(text == "Infinity" || text == "-Infinity");
  return text[0] == '-' ? -std::numeric_limits<double>::infinity()
                        : std::numeric_limits<double>::infinity();
}

Optionals from_formula(const json& f) {
  const auto n = f.at("n").get<std::int64_t>();
  const auto a = f.at("a").get<std::int64_t>(), b = f.at("b").get<std::int64_t>();
  const auto c = f.at("c").get<std::int64_t>(), m = f.at("m").get<std::int64_t>();
  const auto sub = f.at("sub").get<std::int64_t>(), div = f.at("div").get<std::int64_t>();
  Optionals out;
  for (std::int64_t i = 0; i < n; ++i) {
    out.emplace_back(static_cast<double>((a * i * i + b * i + c) % m - sub) /
                     static_cast<double>(div));
  }
  return out;
}

// input.NAME as a list with nulls, as runs, or as a formula.
Optionals list(const json& input, const std::string& name, const std::string& formula) {
  if (input.contains(formula)) return from_formula(input.at(formula));
  const json& value = input.at(name);
  Optionals out;
  if (value.is_object()) {
    for (const json& run : value.at("runs")) {
      out.insert(out.end(), run.at(1).get<std::size_t>(), run.at(0).get<double>());
    }
    return out;
  }
  for (const json& v : value) {
    out.push_back(v.is_null() ? std::nullopt : std::optional(v.get<double>()));
  }
  return out;
}

std::vector<double> present(const Optionals& values) {
  std::vector<double> out;
  for (const auto& v : values) {
    if (v) out.push_back(*v);
  }
  return out;
}

struct Pairs {
  std::vector<double> control, treatment, deltas;
};

Pairs pairs(const json& input) {
  Pairs out;
  if (input.contains("delta_formula") || input.contains("deltas")) {
    out.deltas = present(list(input, "deltas", "delta_formula"));
    return out;
  }
  const Optionals control = list(input, "control", "control_formula");
  const Optionals treatment = list(input, "treatment", "treatment_formula");
  for (std::size_t i = 0; i < control.size(); ++i) {
    if (!control[i] || !treatment[i]) continue;
    out.control.push_back(*control[i]);
    out.treatment.push_back(*treatment[i]);
    out.deltas.push_back(*treatment[i] - *control[i]);
  }
  return out;
}

// POSIX extended expressions: g++ 12 warns inside std::regex when it sanitises.
bool matches(const std::string& pattern, const std::string& field) {
  regex_t compiled;
  BOOST_REQUIRE(::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) == 0);
  const bool found = ::regexec(&compiled, field.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&compiled);
  return found;
}

// The first rule of the file that matches a field decides how it is compared.
void check_field(const json& file, const json& one, const std::string& field,
                 const std::optional<double>& got) {
  const json& expected = one.at("expected").at(field);
  const json* rule = nullptr;
  for (const json& r : file.at("tolerances").at("rules")) {
    if (matches(r.at("match").get<std::string>(), field)) {
      rule = &r;
      break;
    }
  }
  BOOST_REQUIRE(rule != nullptr);
  const std::string where = one.at("id").get<std::string>() + " " + field;
  if (expected.is_null()) {
    const json& free = file.at("tolerances").at("null_not_asserted");
    if (std::find(free.begin(), free.end(), field) != free.end()) return;
    BOOST_TEST(!got.has_value(), where << ": expected nothing, got " << got.value_or(0));
    return;
  }
  BOOST_TEST_REQUIRE(got.has_value(), where << ": nothing");
  if (rule->value("accept", false)) {
    const json& window = expected.at("accept_10k");
    BOOST_TEST(
        (window.at(0).get<double>() - 1e-12 <= *got && *got <= window.at(1).get<double>() + 1e-12),
        where << ": " << *got << " outside " << window.dump());
    return;
  }
  const bool extreme = one.at("tol") == "extreme";
  const double rel = extreme && rule->contains("extreme_rel")
                         ? rule->at("extreme_rel").get<double>()
                         : rule->at("rel").get<double>();
  const double abs = extreme && rule->contains("extreme_abs")
                         ? rule->at("extreme_abs").get<double>()
                         : rule->at("abs").get<double>();
  const double want = number(expected);
  const bool same = std::isinf(want) || std::isinf(*got)
                        ? want == *got
                        : std::abs(*got - want) <= rel * std::abs(want) + abs;
  BOOST_TEST(same, where << ": expected " << json(want).dump() << ", got " << json(*got).dump());
}

void check_file(const std::string& name, const std::function<Got(const json& input)>& compute) {
  const auto shared = shared_folder();
  if (!shared) {
    BOOST_TEST_MESSAGE("no shared folder: " << name << " vectors skipped");
    return;
  }
  std::ifstream stream(*shared / "vectors" / (name + ".json"));
  BOOST_REQUIRE(stream.good());
  const json file = json::parse(stream);
  int fields = 0;
  for (const json& one : file.at("cases")) {
    for (const auto& [field, value] : compute(one.at("input"))) {
      if (!one.at("expected").contains(field)) continue;
      check_field(file, one, field, value);
      ++fields;
    }
  }
  BOOST_TEST(fields > 0);
}

std::optional<double> low(const std::optional<Interval>& i) {
  return i ? std::optional(i->low) : std::nullopt;
}
std::optional<double> high(const std::optional<Interval>& i) {
  return i ? std::optional(i->high) : std::nullopt;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vectors)

BOOST_AUTO_TEST_CASE(paired_tables) {
  check_file("paired_table", [](const json& in) -> Got {
    const PairedTable t =
        paired_table(list(in, "control", "control_formula"), list(in, "treatment", ""));
    const auto d = [](std::int64_t v) { return static_cast<double>(v); };
    return {{"a", d(t.a)},
            {"b", d(t.b)},
            {"c", d(t.c)},
            {"d", d(t.d)},
            {"n", d(t.n())},
            {"n_missing", d(t.n_missing)},
            {"n_missing_control", d(t.n_missing_control)},
            {"n_missing_treatment", d(t.n_missing_treatment)}};
  });
}

BOOST_AUTO_TEST_CASE(mcnemar_tests) {
  check_file("mcnemar", [](const json& in) -> Got {
    const McNemar m = mcnemar(in.at("b"), in.at("c"), in.at("conf_level"));
    return {{"n_discordant", static_cast<double>(m.n_discordant)},
            {"p_exact", m.p_exact},
            {"ln_p_exact", m.ln_p_exact},
            {"p_midp", m.p_midp},
            {"p_b_greater", m.p_b_greater},
            {"odds_ratio", m.odds_ratio},
            {"or_ci_low", m.odds_ratio_ci.low},
            {"or_ci_high", m.odds_ratio_ci.high}};
  });
}

BOOST_AUTO_TEST_CASE(wilcoxon_tests) {
  check_file("wilcoxon", [](const json& in) -> Got {
    const std::vector<double> deltas = pairs(in).deltas;
    const Wilcoxon w = wilcoxon(deltas);
    return {{"n_zero", static_cast<double>(w.n_zero)},
            {"n_used", static_cast<double>(w.n_used)},
            {"w_plus", w.w_plus},
            {"w_minus", w.w_minus},
            {"z", w.z},
            {"p_normal", w.p_normal},
            {"ln_p_normal", w.ln_p_normal},
            {"p_exact", w.p_exact},
            {"rank_biserial", w.rank_biserial},
            {"hl_all", hodges_lehmann(deltas)}};
  });
}

BOOST_AUTO_TEST_CASE(bootstrap_intervals) {
  check_file("bootstrap", [](const json& in) -> Got {
    const std::vector<double> deltas = pairs(in).deltas;
    const BootstrapMean b = bootstrap_mean(deltas, resamples, 20240617, in.at("conf_level"));
    return {{"perc_low", b.percentile.low},
            {"perc_high", b.percentile.high},
            {"bca_low", b.bca.low},
            {"bca_high", b.bca.high}};
  });
}

BOOST_AUTO_TEST_CASE(sign_flip_tests) {
  check_file("permutation", [](const json& in) -> Got {
    const std::vector<double> deltas = pairs(in).deltas;
    const Permutation p = sign_flip(deltas, resamples, 1);
    BOOST_TEST(p.exact);
    return {{"p_two", p.p_two}, {"p_greater", p.p_greater}, {"p_less", p.p_less}};
  });
}

BOOST_AUTO_TEST_CASE(sign_flip_monte_carlo_tests) {
  const auto shared = shared_folder();
  if (!shared) return;
  std::ifstream stream(*shared / "vectors" / "permutation.json");
  const json file = json::parse(stream);  // named: a range-for keeps no temporary alive
  BOOST_TEST(file.at("cases").size() > 5u);
  for (const json& one : file.at("cases")) {
    const std::vector<double> deltas = pairs(one.at("input")).deltas;
    const double p = sign_flip_monte_carlo(deltas, resamples, 7).p_two;
    const json& window = one.at("expected").at("mc_accept_10k");
    BOOST_TEST((window.at(0).get<double>() <= p && p <= window.at(1).get<double>()),
               one.at("id") << ": " << p << " outside " << window.dump());
  }
}

BOOST_AUTO_TEST_CASE(adjusted_p_values) {
  const std::map<std::string, Correction> corrections{{"bonferroni", Correction::bonferroni},
                                                      {"holm", Correction::holm},
                                                      {"hochberg", Correction::hochberg},
                                                      {"bh", Correction::bh},
                                                      {"by", Correction::by}};
  const auto shared = shared_folder();
  if (!shared) return;
  std::ifstream stream(*shared / "vectors" / "multiplicity.json");
  const json file = json::parse(stream);  // named: a range-for keeps no temporary alive
  BOOST_TEST(file.at("cases").size() > 5u);
  for (const json& one : file.at("cases")) {
    const Optionals p = list(one.at("input"), "p", "p_formula");
    for (const auto& [name, correction] : corrections) {
      const Optionals got = adjust(p, correction);
      const json& expected = one.at("expected").at(name);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::size_t at = one.at("input").contains("report_indices")
                                   ? one.at("input").at("report_indices").at(i).get<std::size_t>()
                                   : i;
        const std::string where = one.at("id").get<std::string>() + " " + name;
        if (expected.at(i).is_null()) {
          BOOST_TEST(!got[at].has_value(), where);
        } else {
          const double want = expected.at(i).get<double>();
          BOOST_TEST(std::abs(got[at].value() - want) <= 1e-9 * want, where);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(paired_t_tests) {
  check_file("paired_t", [](const json& in) -> Got {
    const PairedT t = paired_t(pairs(in).deltas, in.at("conf_level"));
    const bool any = t.moments.n > 0;
    return {{"n", static_cast<double>(t.moments.n)},
            {"mean", any ? std::optional(t.moments.mean) : std::nullopt},
            {"sd", t.moments.sd},
            {"se", t.se},
            {"t", t.t},
            {"p_two", t.p_two},
            {"ln_p_two", t.ln_p_two},
            {"p_greater", t.p_greater},
            {"p_less", t.p_less},
            {"ci_low", low(t.ci)},
            {"ci_high", high(t.ci)}};
  });
}

BOOST_AUTO_TEST_CASE(equivalence_tests) {
  check_file("tost_ni", [](const json& in) -> Got {
    const std::vector<double> deltas = pairs(in).deltas;
    const Tost t = tost(deltas, in.at("low"), in.at("high"), in.at("alpha"));
    const NonInferiority ni = non_inferiority(deltas, in.at("ni_margin"), in.at("alpha"));
    return {{"t_lower", t.t_lower},  {"p_lower", t.p_lower},
            {"t_upper", t.t_upper},  {"p_upper", t.p_upper},
            {"p_tost", t.p},         {"ci_low", low(t.ci)},
            {"ci_high", high(t.ci)}, {"ni_t", ni.t},
            {"ni_p", ni.p},          {"ni_lower_bound", ni.lower_bound}};
  });
}

BOOST_AUTO_TEST_CASE(effect_size_values) {
  check_file("effect_sizes", [](const json& in) -> Got {
    const Pairs p = pairs(in);
    const EffectSizes e = effect_sizes(p.control, p.treatment);
    return {{"d_z", e.d_z},
            {"g_z_exact", e.g_z},
            {"d_av", e.d_av},
            {"cliffs_delta", e.cliffs_delta},
            {"paired_dominance", e.paired_dominance},
            {"wins", static_cast<double>(e.wins)},
            {"losses", static_cast<double>(e.losses)},
            {"ties", static_cast<double>(e.ties)}};
  });
}

BOOST_AUTO_TEST_CASE(cohens_h_values) {
  check_file("cohens_h", [](const json& in) -> Got {
    if (in.at("p1").is_null() || in.at("p2").is_null()) return {};
    return {{"h", cohens_h(in.at("p1"), in.at("p2"))}};
  });
}

BOOST_AUTO_TEST_SUITE_END()
