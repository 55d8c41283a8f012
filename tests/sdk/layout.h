// SPDX-License-Identifier: Apache-2.0
// The binary layout of the ABI as text, made from the header by the compiler.
#pragma once

#include <string>
#include <vector>

struct AbiStruct {
  std::string name;
  std::vector<std::string> fields;  // "offset size type name", in order
  bool has_gap = false;             // a field is not listed, or there is padding
};

std::vector<AbiStruct> abi_structs();
// "NAME value" of every constant.
std::vector<std::string> abi_constants();
// The content of sdk/abi/layout_<major>.<minor>.txt.
std::string abi_text();
