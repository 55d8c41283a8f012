// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "layout.h"

int main() { std::fputs(abi_text().c_str(), stdout); }
