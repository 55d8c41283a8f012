// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/error_body.h -- what services say when they refuse, in whatever form.
#ifndef PROMPTSWEEP_HTTP_ERROR_BODY_H_INCLUDED
#define PROMPTSWEEP_HTTP_ERROR_BODY_H_INCLUDED

#include <promptsweep/http/client.h>

#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>

namespace psw {
namespace http {

struct ErrorBody {
  std::string message;  // never empty
  std::string type, code;
};
// Understands {"error":"text"}, {"error":{message,type,code}}, {"code":5,"message":...} (gRPC
// gateways), {"object":"error",...}, {"type":"error","error":{...}}, {"detail":...}, a JSON string,
// and text or HTML (its first 500 characters).
ErrorBody parse_error_body(std::string_view body);

// The failure of a call as one sentence for people: what was asked, what came back, and what helps.
// `what` names the call, for example "GET http://127.0.0.1:11434/api/tags". The code fits the
// reply: PSW_E_AUTH for 401 and 403, PSW_E_NOT_FOUND for 404, PSW_E_RATE_LIMITED for 429,
// PSW_E_UNAVAILABLE, PSW_E_TIMEOUT and so on.
Error to_error(std::string_view what, const Reply& reply);

}  // namespace http
}  // namespace psw

#endif
