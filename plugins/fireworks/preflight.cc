// SPDX-License-Identifier: Apache-2.0
#include "preflight.h"

#include <promptsweep/http/error_body.h>

namespace fireworks {
namespace {

std::string said(const http::Reply& reply) {
  return psw::http::parse_error_body(reply.body).message;
}

void check_reached(const http::Reply& reply, const std::string& what) {
  if (came_of(reply) == Came::cancelled) {
    throw psw::Error(PSW_E_CANCELLED, "stopped while the provider was asked for " + what);
  }
  if (!reply.arrived() || reply.status >= 500) throw psw::http::to_error(what, reply);
}

}  // namespace

void check_account_and_model(Control& control, const Options& options,
                             const std::function<void(const std::string&)>& warn) {
  const http::Reply account = control.list_one_dataset();
  check_reached(account, control.describe("GET", "datasets"));
  const Came came = came_of(account);
  if (came == Came::denied) {
    throw psw::Error(PSW_E_AUTH,
                     "the provider refuses the key in FIREWORKS_API_KEY for the account " +
                         options.account_id + ": " + said(account));
  }
  if (account.status == 404) {
    throw psw::Error(PSW_E_NOT_FOUND, "the provider knows no account " + options.account_id +
                                          " (account_id is the account's slug): " + said(account));
  }
  if (came != Came::good) {
    warn("whether the account " + options.account_id + " is good is not known: HTTP " +
         std::to_string(account.status) + ", " + said(account));
  }

  const http::Reply model = control.get_model(options.model);
  check_reached(model, "GET " + options.base_url + "/v1/" + options.model);
  if (came_of(model) == Came::absent) {
    throw psw::Error(PSW_E_NOT_FOUND,
                     "the provider has no model " + options.model + ": " + said(model) +
                         " (a model of your own is named accounts/ACCOUNT/models/NAME)");
  }
  if (!model.good()) {
    warn("whether the provider has the model " + options.model + " is not known: HTTP " +
         std::to_string(model.status) + ", " + said(model));
  }
}

}  // namespace fireworks
