// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE llamacpp_weights
#include "weights.h"

#include <promptsweep/sha256.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "temporary_folder.h"

using namespace llamacpp;

namespace {

std::string write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

// A host that offers nothing: every call of psw::Host is a no-op.
const psw_host_api no_services{};

}  // namespace

BOOST_AUTO_TEST_CASE(one_file_is_hashed_as_it_is) {
  TemporaryFolder folder;
  const Weights weights = find_weights(write(folder / "model.gguf", "abc"));
  BOOST_TEST(weights.files.size() == 1u);
  BOOST_TEST(weights.bytes == 3u);
  BOOST_TEST(sha256_of(weights, psw::Host(&no_services)) ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(psw::lines::sha256_hex("abc") == sha256_of(weights, psw::Host(&no_services)));
}

BOOST_AUTO_TEST_CASE(a_split_model_is_all_of_its_parts) {
  TemporaryFolder folder;
  const std::string first = write(folder / "m-00001-of-00003.gguf", "a");
  write(folder / "m-00002-of-00003.gguf", "b");
  BOOST_CHECK_EXCEPTION(find_weights(first), psw::Error, [](const psw::Error& error) {
    return error.code == PSW_E_CONFIG && error.text.starts_with("/model: ") &&
           error.text.find("m-00003-of-00003.gguf") != std::string::npos;
  });
  write(folder / "m-00003-of-00003.gguf", "c");
  const Weights weights = find_weights(first);
  BOOST_TEST(weights.files.size() == 3u);
  BOOST_TEST(weights.bytes == 3u);
  BOOST_TEST(sha256_of(weights, psw::Host(&no_services)) == psw::lines::sha256_hex("abc"));
}

BOOST_AUTO_TEST_CASE(names_that_only_look_like_parts_are_single_files) {
  TemporaryFolder folder;
  for (const char* name : {"m-00001-of-0000x.gguf", "m-0001-of-0003.gguf", "-00001-of-00002.bin"}) {
    BOOST_TEST(find_weights(write(folder / name, "a")).files.size() == 1u, name);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_named) {
  for (const char* path : {"/nowhere/model.gguf", "/"}) {
    BOOST_CHECK_EXCEPTION(find_weights(path), psw::Error, [path](const psw::Error& error) {
      return error.code == PSW_E_CONFIG && error.text.ends_with(path);
    });
  }
}
