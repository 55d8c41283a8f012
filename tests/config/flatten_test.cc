// SPDX-License-Identifier: Apache-2.0
#include "config/flatten.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(flatten)

BOOST_AUTO_TEST_CASE(every_value_has_a_path) {
  const auto values = flatten_document(
                          "temps: [0.0, 0.70]\n"
                          "seed: 1337\n"
                          "deterministic: True\n"
                          "name: \"0.0\"\n"
                          "nothing:\n"
                          "stats: {samples: 2000, margins: {}}\n"
                          "models:\n"
                          "  - {id: m/large, options: {n_ctx: 2048}}\n"
                          "  - {alias: small, options: {n_ctx: 512}}\n"
                          "  - m2\n"
                          "trials: [{temps: [1]}, {temps: [2]}]\n",
                          "x.yaml")
                          .value();
  const std::map<std::string, std::string> wanted{{"temps", "[0, 0.7]"},
                                                  {"seed", "1337"},
                                                  {"deterministic", "true"},
                                                  {"name", "0.0"},
                                                  {"nothing", "null"},
                                                  {"stats.samples", "2000"},
                                                  {"stats.margins", "{}"},
                                                  {"models[m/large].id", "m/large"},
                                                  {"models[m/large].options.n_ctx", "2048"},
                                                  {"models[small].alias", "small"},
                                                  {"models[small].options.n_ctx", "512"},
                                                  {"models[m2]", "m2"},
                                                  {"trials[0].temps", "[1]"},
                                                  {"trials[1].temps", "[2]"}};
  BOOST_TEST((values == wanted));
}

BOOST_AUTO_TEST_CASE(elements_of_one_name_stay_apart) {
  const auto values = flatten_document("a: [{id: x, n: 1}, {id: x, n: 2}]", "x").value();
  BOOST_TEST(values.size() == 4u);
  BOOST_TEST(values.at("a[x].n") == "1");
  BOOST_TEST(values.at("a[x#1].n") == "2");
}

BOOST_AUTO_TEST_CASE(json_is_read_too) {
  const auto values =
      flatten_document(R"({"build":{"commit":"abc","number":7},"path":"\/m\u00e9"})", "x").value();
  BOOST_TEST(values.at("build.commit") == "abc");
  BOOST_TEST(values.at("build.number") == "7");
  BOOST_TEST(values.at("path") == "/m\xC3\xA9");
  BOOST_TEST(flatten_document("", "x").value().empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_document_is_an_error) {
  const auto failed = flatten_document("a: [1, 2", "run A");
  BOOST_REQUIRE(!failed);
  BOOST_TEST((failed.error().code == Code::data));
  BOOST_TEST(failed.error().text.find("run A cannot be read") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
