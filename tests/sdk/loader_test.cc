// SPDX-License-Identifier: Apache-2.0
#include "host/loader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "host/host_client.h"
#include "temporary_folder.h"

using namespace promptsweep::host;

namespace {

const std::filesystem::path faulty = FAULTY_FOLDER;
const std::filesystem::path backends = BACKENDS_FOLDER;

std::string refusal_of(const std::filesystem::path& library) {
  const LoadedPlugin* plugin = nullptr;
  const CallStatus loaded = load_plugin(library, &plugin);
  return loaded ? "loaded" : loaded.message;
}

// The same through a host process, where the library cannot hurt.
std::string refusal_in_host(const std::filesystem::path& library) {
  HostOptions options;
  options.program = find_host_program().value();
  options.library = library;
  std::unique_ptr<HostProcess> process;
  const CallStatus started = HostProcess::start(std::move(options), &process);
  return started ? "loaded" : started.message;
}

bool is_one_sentence(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos && text.size() < 600;
}

void check_refusal(const std::filesystem::path& library, const std::string& reason) {
  for (const std::string& text : {refusal_of(library), refusal_in_host(library)}) {
    BOOST_TEST(text.find(reason) != std::string::npos, text);
    BOOST_TEST(text.find(library.filename().string()) != std::string::npos, text);
    BOOST_TEST(is_one_sentence(text));
  }
}

BOOST_AUTO_TEST_CASE(a_good_plugin_is_loaded_once) {
  const LoadedPlugin *first = nullptr, *second = nullptr;
  BOOST_REQUIRE(bool(load_plugin(backends / "echo.so", &first)));
  BOOST_REQUIRE(bool(load_plugin(backends / "." / "echo.so", &second)));
  BOOST_TEST(first == second);
  BOOST_TEST(first->description.id == "echo");
  BOOST_TEST(first->description.abi_minor == unsigned(PSW_ABI_MINOR));
  BOOST_TEST(first->description.limits.max_concurrent_jobs == 64u);
  BOOST_TEST(refusal_of(faulty / "faulty_none.so") == "loaded");
  BOOST_TEST(refusal_in_host(faulty / "faulty_none.so") == "loaded");
}

BOOST_AUTO_TEST_CASE(broken_plugins_are_refused_with_a_sentence) {
  check_refusal(faulty / "faulty_no_entry.so", "no promptsweep plugin");
  check_refusal(faulty / "faulty_other_major.so", "speaks plugin ABI 2, this program only 1");
  check_refusal(faulty / "faulty_null_table.so", "no function table");
  check_refusal(faulty / "faulty_missing_function.so", "lacks the required function fetch");
  check_refusal(faulty / "faulty_short_table.so", "lacks the required function cancel");
  check_refusal(faulty / "faulty_newer_minor.so",
                "1.2.3 needs plugin ABI 1.7, this program has 1.0");
  check_refusal(faulty / "faulty_nameless.so", "does not describe itself");
  check_refusal(faulty / "absent.so", "no such file");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_library_is_refused) {
  TemporaryFolder folder;
  const auto path = folder / "text.so";
  std::ofstream(path) << "not a library";
  check_refusal(path, "cannot be loaded");
}

BOOST_AUTO_TEST_CASE(a_plugin_that_crashes_takes_only_its_host) {
  for (const char* name : {"faulty_crash_at_load.so", "faulty_aborting_describe.so"}) {
    const std::string text = refusal_in_host(faulty / name);
    BOOST_TEST(text.find("killed by signal 6") != std::string::npos, text);
    BOOST_TEST(text.find(name) != std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(places_that_others_may_write_are_refused) {
  TemporaryFolder folder;
  const auto plugins = folder / "plugins";
  const auto library = plugins / "echo.so";
  std::filesystem::create_directory(plugins);
  std::filesystem::copy_file(backends / "echo.so", library);
  BOOST_TEST(!writable_by_others(library).has_value());

  ::chmod(library.c_str(), 0666);
  check_refusal(library, "others may write to the file");
  ::chmod(library.c_str(), 0644);
  ::chmod(plugins.c_str(), 0777);
  check_refusal(library, "others may write to the folder");
  ::chmod(plugins.c_str(), 01777);  // sticky: nobody else can replace the file, but add one
  check_refusal(library, "others may write to the folder");
  ::chmod(plugins.c_str(), 0755);
  ::chmod(folder.path().c_str(), 0777);  // the whole folder could be exchanged
  check_refusal(library, "others may write to the folder");
  ::chmod(folder.path().c_str(), 0700);
  BOOST_TEST(!writable_by_others(library).has_value());

  if (::geteuid() != 0) return;  // only root may give files away
  BOOST_REQUIRE(::chown(library.c_str(), 12345, 0) == 0);
  check_refusal(library, "belongs to another user");
  BOOST_REQUIRE(::chown(library.c_str(), 0, 12345) == 0);
  ::chmod(library.c_str(), 0664);
  check_refusal(library, "others may write to the file");
}

BOOST_AUTO_TEST_CASE(the_first_folder_of_the_path_wins) {
  TemporaryFolder folder;
  for (const char* sub : {"a", "b"}) {
    std::filesystem::create_directory(folder / sub);
    std::ofstream(folder / sub / "x.so") << sub;
  }
  std::filesystem::remove(folder / "a" / "x.so");
  BOOST_TEST(find_library("x", {folder / "a", folder / "b"}).value() ==
             std::filesystem::canonical(folder / "b" / "x.so"));
  std::ofstream(folder / "a" / "x.so") << "a";
  BOOST_TEST(find_library("x", {folder / "a", folder / "b"}).value() ==
             std::filesystem::canonical(folder / "a" / "x.so"));
  for (const char* bad : {"../b/x", "/x", ".x", "", "y"}) {
    BOOST_TEST(!find_library(bad, {folder / "a"}).has_value());
  }
}

}  // namespace
