// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <set>

namespace echo {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& pointer, const std::string& sentence) {
  psw::Error error(PSW_E_CONFIG, pointer + ": " + sentence);
  error.scope = PSW_SCOPE_INSTANCE;
  throw error;
}

// Reads the members of one object and remembers which, so that the rest can be refused.
class Members {
 public:
  Members(const json& object, std::string pointer) : object_(object), pointer_(std::move(pointer)) {
    if (!object.is_object()) refuse(pointer_.empty() ? "/" : pointer_, "must be an object");
  }

  bool has(const std::string& key) const { return object_.contains(key); }
  std::string pointer(const std::string& key) const { return pointer_ + "/" + key; }

  void read(const std::string& key, std::string& out) {
    if (const json* value = find(key)) {
      if (!value->is_string()) refuse(pointer(key), "must be a string");
      out = value->get<std::string>();
    }
  }
  void read(const std::string& key, double& out) {
    if (const json* value = find(key)) {
      if (!value->is_number() || value->get<double>() < 0 || value->get<double>() > 1) {
        refuse(pointer(key), "must be a number from 0 to 1");
      }
      out = value->get<double>();
    }
  }
  void read(const std::string& key, bool& out) {
    if (const json* value = find(key)) {
      if (!value->is_boolean()) refuse(pointer(key), "must be true or false");
      out = value->get<bool>();
    }
  }
  template <class Integer>
  void read(const std::string& key, Integer& out, std::uint64_t low, std::uint64_t high) {
    if (const json* value = find(key)) {
      if (!value->is_number_unsigned() || value->get<std::uint64_t>() < low ||
          value->get<std::uint64_t>() > high) {
        refuse(pointer(key),
               "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
      }
      out = static_cast<Integer>(value->get<std::uint64_t>());
    }
  }
  template <class Enum>
  void read(const std::string& key, Enum& out, std::initializer_list<const char*> names) {
    std::string name;
    read(key, name);
    if (name.empty() && !has(key)) return;
    int number = 0;
    for (const char* candidate : names) {
      if (name == candidate) {
        out = static_cast<Enum>(number);
        return;
      }
      ++number;
    }
    refuse(pointer(key), "\"" + name + "\" is not one of the allowed values");
  }
  const json* find(const std::string& key) {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  void refuse_others() const {
    for (const auto& member : object_.items()) {
      if (known_.count(member.key()) == 0) refuse(pointer(member.key()), "unknown option");
    }
  }

 private:
  const json& object_;
  std::string pointer_;
  std::set<std::string> known_;
};

FailureRule parse_failure(const json& entry, const std::string& pointer) {
  using Selector = FailureRule::Selector;
  Members members(entry, pointer);
  FailureRule rule;
  if (!members.has("kind")) refuse(pointer, "needs a kind");
  members.read("kind", rule.kind, failure_names);
  // A remote job's fate is the provider's, which does not die with a process.
  const bool in_process = rule.kind >= FailureKind::abort && rule.kind <= FailureKind::hang;
  const bool in_results = rule.kind >= FailureKind::lose;
  if (ECHO_REMOTE ? in_process : in_results) {
    refuse(pointer + "/kind", "this plugin does not know this kind of failure");
  }
  members.read("times", rule.times, 0, UINT32_MAX);
  int selectors = 0;
  for (const auto& [key, selector] :
       {std::pair("request_id", Selector::request_id), std::pair("contains", Selector::contains)}) {
    if (!members.has(key)) continue;
    members.read(key, rule.text);
    rule.selector = selector;
    ++selectors;
  }
  for (const auto& [key, selector, low] :
       {std::tuple("index", Selector::index, 0), std::tuple("every", Selector::every, 1),
        std::tuple("nth", Selector::nth, 1)}) {
    if (!members.has(key)) continue;
    members.read(key, rule.number, static_cast<std::uint64_t>(low), UINT32_MAX);
    rule.selector = selector;
    ++selectors;
  }
  if (selectors != 1)
    refuse(pointer, "needs exactly one of request_id, contains, index, every, nth");
  members.refuse_others();
  return rule;
}

[[maybe_unused]] RemoteFailure parse_remote_failure(const json& entry, const std::string& pointer) {
  Members members(entry, pointer);
  RemoteFailure rule;
  if (!members.has("kind")) refuse(pointer, "needs a kind");
  members.read("kind", rule.kind,
               {"kill_before_create", "kill_after_create", "kill_after_checkpoint",
                "kill_before_results", "create_refused", "expire", "cancel", "fail"});
  members.read("times", rule.times, 0, UINT32_MAX);
  members.read("job", rule.job, 1, UINT32_MAX);
  if (members.has("after")) members.read("after", rule.after.emplace(), 0, UINT32_MAX);
  members.refuse_others();
  return rule;
}

template <class Rule>
void read_rules(Members& members, const std::string& key, std::vector<Rule>& out,
                Rule (*parse)(const json&, const std::string&)) {
  const json* rules = members.find(key);
  if (rules == nullptr) return;
  if (!rules->is_array()) refuse(members.pointer(key), "must be a list");
  for (std::size_t i = 0; i < rules->size(); ++i) {
    out.push_back(parse((*rules)[i], members.pointer(key) + "/" + std::to_string(i)));
  }
}

}  // namespace

Options parse_options(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) refuse("/", "is not JSON");
  Members members(object, "");
  constexpr std::uint64_t hour_ms = 3600000;
  Options o;
  members.read("mode", o.mode, {"echo", "policy"});
  members.read("answer_from", o.answer_from, {"content", "request_id"});
  members.read("style", o.style, {"plain", "shout", "brief"});
  members.read("abstain_share", o.abstain_share);
  members.read("guess_abstain_share", o.guess_abstain_share);
  members.read("accuracy", o.accuracy);
  members.read("answers_file", o.answers_file);
  members.read("refusal", o.refusal);
  members.read("n_parallel", o.n_parallel, 1, 256);
  members.read("max_parallel", o.max_parallel, 0, UINT32_MAX);
  members.read("delay_ms", o.delay_ms, 0, hour_ms);
  members.read("jitter_ms", o.jitter_ms, 0, hour_ms);
  members.read("jitter_seed", o.jitter_seed, 0, UINT64_MAX);
  members.read("create_delay_ms", o.create_delay_ms, 0, hour_ms);
  members.read("create_error", o.create_error, {"none", "resource", "auth", "abort"});
  members.read("ram_bytes", o.ram_bytes, 0, UINT64_MAX);
  members.read("vram_bytes", o.vram_bytes, 0, UINT64_MAX);
  members.read("state_folder", o.state_folder);
  members.read("event_log", o.event_log);
  members.read("label", o.label);
  members.read("use_secret", o.use_secret);
  read_rules(members, "failures", o.failures, parse_failure);
  if constexpr (ECHO_REMOTE) {
    members.read("remote_folder", o.remote.folder);
    if (o.remote.folder.empty()) refuse("/remote_folder", "must name a folder");
    members.read("remote_speed", o.remote.speed_ms, 0, hour_ms);
    members.read("remote_queue_ms", o.remote.queue_ms, 0, hour_ms);
    members.read("remote_max_jobs", o.remote.max_jobs, 0, UINT32_MAX);
    read_rules(members, "remote_failures", o.remote.failures, parse_remote_failure);
  }
  members.refuse_others();
  return o;
}

}  // namespace echo
