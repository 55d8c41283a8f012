// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/client.h>

#include <boost/test/unit_test.hpp>
#include <promptsweep/backend.hpp>

#include "sdk_http/client_fixture.h"

using namespace http_test;

namespace {

std::string logged;

psw_status put(psw_out* out, std::string_view text) {
  psw::detail::put(*out, text);
  return PSW_OK;
}

psw_host_api host_table() {
  psw_host_api api{};
  api.struct_size = sizeof api;
  api.log = [](psw_host*, psw_job, std::int32_t, const psw_str* message, const psw_str*) noexcept {
    logged = psw::view(*message);
  };
  api.secret_get = [](psw_host*, const psw_str* name, psw_out* out) noexcept -> psw_status {
    return psw::view(*name) == "KEY" ? put(out, "sk-from-host") : PSW_E_NOT_FOUND;
  };
  api.param_get = [](psw_host*, const psw_str* key, psw_out* out) noexcept -> psw_status {
    return psw::view(*key) == "net.ca_bundle" ? put(out, "/etc/ca.pem") : PSW_E_NOT_FOUND;
  };
  return api;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(a_host_gives_secrets_log_and_net) {
  const psw_host_api api = host_table();
  const ClientOptions options = psw::http::options_of(psw::Host(&api));
  BOOST_TEST(options.proxy.empty());
  BOOST_TEST(options.ca_bundle == "/etc/ca.pem");
  BOOST_TEST(options.secret("KEY") == "sk-from-host");
  BOOST_CHECK_THROW(options.secret("OTHER"), psw::Error);
  options.log(PSW_LOG_INFO, "a message");
  BOOST_TEST(logged == "a message");
}

BOOST_AUTO_TEST_CASE(a_host_with_nothing_is_enough) {
  psw_host_api api{};
  api.struct_size = sizeof api;
  const ClientOptions options = psw::http::options_of(psw::Host(&api));
  BOOST_TEST(options.proxy.empty());
  BOOST_TEST(options.ca_bundle.empty());
  ScriptedServer server([](const Got&) { return text("fine"); });
  BOOST_TEST(Client(options).run(get(server.url())).body == "fine");
}

BOOST_AUTO_TEST_SUITE_END()
