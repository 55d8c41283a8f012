// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/client.h>

#include "text.h"

namespace psw {
namespace http {

std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::none:
      return "none";
    case Failure::resolve:
      return "resolve";
    case Failure::connect:
      return "connect";
    case Failure::tls:
      return "tls";
    case Failure::reset:
      return "reset";
    case Failure::cut:
      return "cut";
    case Failure::timeout:
      return "timeout";
    case Failure::too_large:
      return "too_large";
    case Failure::cancelled:
      return "cancelled";
    case Failure::local:
      return "local";
  }
  return "unknown";
}

const std::string* Reply::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (equal_any_case(header.name, name)) return &header.value;
  }
  return nullptr;
}

}  // namespace http
}  // namespace psw
