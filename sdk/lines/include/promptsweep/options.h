// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/options.h -- reads the options of an instance. What is absent keeps its default; what
// is wrong throws psw::Error(PSW_E_CONFIG, "/key: found ...; allowed is ...").
#ifndef PROMPTSWEEP_OPTIONS_H_INCLUDED
#define PROMPTSWEEP_OPTIONS_H_INCLUDED

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace psw {
namespace lines {

[[noreturn]] void refuse_option(std::string_view key, std::string_view text);

// "http://HOST:PORT" without a slash at the end, from an URL or from "HOST", "HOST:PORT" and what
// else people write; an address that servers listen on (0.0.0.0) becomes one to call. nullopt:
// no URL of http or https, or one with a user name, a query or a fragment. `default_port` 0: none.
std::optional<std::string> normal_url(std::string_view written, int default_port);
// Whether an URL of http or https names this machine.
bool is_loopback(std::string_view url);

// Up to `most` of `known` that look most like `wanted`, nearest first, as "a, b and c"; empty where
// nothing is known.
std::string near_names(std::string_view wanted, std::vector<std::string> known,
                       std::size_t most = 5);

class OptionReader {
 public:
  // `backend` names the plugin in errors.
  OptionReader(std::string_view config_json, std::string backend);
  ~OptionReader();
  OptionReader(const OptionReader&) = delete;
  OptionReader& operator=(const OptionReader&) = delete;

  bool has(std::string_view key) const;
  template <class T>
  void integer(const char* key, T& value, std::int64_t low, std::int64_t high) {
    std::int64_t number = 0;
    if (read_integer(key, number, low, high)) value = static_cast<T>(number);
  }
  void number(const char* key, double& value, double low, double high);
  void boolean(const char* key, bool& value);
  void text(const char* key, std::string& value);  // not empty
  void choice(const char* key, std::string& value, const std::vector<std::string>& allowed);
  void object(const char* key, std::string& json);  // its text, members sorted
  // Call it last: throws for every key that none of the calls above asked for.
  void nothing_else() const;

 private:
  struct State;
  bool read_integer(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high);

  std::unique_ptr<State> state_;
};

}  // namespace lines
}  // namespace psw

#endif
