// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "backend/text.h"
#include "base/result.h"
#include "host/host_client.h"

namespace promptsweep {

// Starts promptsweep-host with `library`. Code::not_found: the program is missing.
Result<std::unique_ptr<host::HostProcess>> start_host(
    const std::filesystem::path& library, host::Services services,
    std::function<void(std::string_view line)> output, const Redactor& redactor);

}  // namespace promptsweep
