// SPDX-License-Identifier: Apache-2.0
#include "run/verify.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "prompt/render.h"
#include "records/decoding.h"
#include "run/score_pass.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

std::string name_of(const RequestRow& request) {
  return "request " + request.request_id + " (" + request.custom_id + ")";
}

std::string text_of(const std::optional<double>& value) {
  return value ? format_number(*value) : "null";
}

// One arm's store against what the plan and the items say it must hold.
class ArmCheck {
 public:
  ArmCheck(const ArmSpec& arm, std::string model, std::string file, ArmStore& store,
           VerifyCounts& counts, const DifferenceSink& found)
      : arm_(arm),
        model_(std::move(model)),
        file_(std::move(file)),
        store_(store),
        counts_(counts),
        found_(found) {}

  void check_identity() {
    if (content_id(arm_.identity_json) != arm_.arm_id) {
      differ("arm " + arm_.arm_id, "the arm's id is not the hash of its identity", arm_.arm_id,
             content_id(arm_.identity_json));
    }
    if (sha256_hex(arm_.system_prompt) != arm_.system_prompt_sha256) {
      differ("arm " + arm_.arm_id, "the system prompt is not the one that its hash names",
             arm_.system_prompt_sha256, sha256_hex(arm_.system_prompt));
    }
    const Result<ArmSpec> own = store_.arm();
    if (!own) {
      differ("", own.error().text);
    } else if (own->identity_json != arm_.identity_json ||
               own->system_prompt != arm_.system_prompt) {
      differ("arm " + arm_.arm_id, "the store's record of its arm is not the run's");
    }
  }

  void check_requests(const ItemSource& items) {
    std::int64_t seen = 0;
    Status visited = store_.for_each_request([&](std::int64_t, const RequestRow& stored) -> Status {
      ++seen;
      const Result<std::optional<Item>> item = items.find(stored.item_key);
      if (!item) return item.error();
      if (!*item) {
        differ(name_of(stored), "there is no item for this request");
        return ok;
      }
      const std::vector<RequestRow> made = request_rows(arm_, model_, **item);
      if (stored.sample_index < 0 || static_cast<std::size_t>(stored.sample_index) >= made.size()) {
        differ(name_of(stored), "the item has no such sample");
        return ok;
      }
      compare(stored, made[static_cast<std::size_t>(stored.sample_index)]);
      ++counts_.requests;
      return ok;
    });
    if (!visited) return differ("", visited.error().text);
    const std::int64_t wanted = items.size() * arm_.decoding.samples_per_item;
    if (seen != wanted) {
      differ("arm " + arm_.arm_id, "requests are missing or too many", std::to_string(seen),
             std::to_string(wanted));
    }
  }

  void check_scores(const ItemSource& items, const VerifyRules& rules) {
    const Result<ArmProgress> progress = store_.progress();
    const Result<std::string> recorded = store_.scores_input_hash();
    if (!progress || !recorded) {
      return differ("", progress ? recorded.error().text : progress.error().text);
    }
    const std::string wanted = scores_hash(arm_, *progress, *rules.scoring);
    const bool current = *recorded == wanted;
    if (!current && rules.must_be_current) {
      differ("", "the scores were made from other answers or rules", *recorded, wanted);
    }
    Status visited = store_.for_each_accepted([&](const ArmStore::AcceptedResult& row) {
      return check_score(row, items, *rules.scoring, current);
    });
    if (!visited) differ("", visited.error().text);
  }

 private:
  void differ(std::string row, std::string says, std::string stored = "",
              std::string recomputed = "") {
    found_({file_, std::move(row), std::move(says), std::move(stored), std::move(recomputed)});
  }

  void compare(const RequestRow& stored, const RequestRow& made) {
    const auto field = [&](const char* name, const std::string& was, const std::string& now) {
      if (was != now)
        differ(name_of(stored), std::string("requests.") + name + " differs", was, now);
    };
    field("request_id", stored.request_id, made.request_id);
    field("custom_id", stored.custom_id, made.custom_id);
    field("item_key", stored.item_key, made.item_key);
    field("sample_index", std::to_string(stored.sample_index), std::to_string(made.sample_index));
    field("type", std::string(to_string(stored.type)), std::string(to_string(made.type)));
    field("seed", std::to_string(stored.seed), std::to_string(made.seed));
    field("content_sha256", stored.content_sha256, made.content_sha256);
  }

  Status check_score(const ArmStore::AcceptedResult& row, const ItemSource& items,
                     const ScoringRules& rules, bool current) {
    const std::string name = name_of(row.request);
    if (row.result.outcome != Outcome::ok) {
      if (row.score) differ(name, "an answer that is not scored has a score");
      return ok;
    }
    if (!row.score) {
      if (current) differ(name, "the answer has no score");
      return ok;
    }
    const Result<std::optional<Item>> item = items.find(row.request.item_key);
    if (!item) return item.error();
    if (!*item) {
      differ(name, "there is no item " + row.request.item_key);
      return ok;
    }
    const Score now = score_answer(**item, row.result.text, rules);
    const Score& was = *row.score;
    const auto field = [&](const char* what, const std::optional<double>& stored,
                           const std::optional<double>& made) {
      if (stored == made) return;
      differ(name, std::string("scores.") + what + " differs", text_of(stored), text_of(made));
    };
    field("em", was.em, now.em);
    field("f1", was.f1, now.f1);
    field("abstained", was.abstained ? 1.0 : 0.0, now.abstained ? 1.0 : 0.0);
    field("false_answer", was.false_answer, now.false_answer);
    field("unsupported", was.unsupported, now.unsupported);
    ++counts_.scores;
    return ok;
  }

  const ArmSpec& arm_;
  const std::string model_;
  const std::string file_;
  ArmStore& store_;
  VerifyCounts& counts_;
  const DifferenceSink& found_;
};

}  // namespace

void verify_arm(RunStore& run, const RunPlan& plan, const ArmSpec& arm, const ItemSource* items,
                const VerifyRules& rules, VerifyCounts& counts, const DifferenceSink& found) {
  const std::string file = (run.folder() / arm.store_path).string();
  Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
  if (!store) {
    // Planned and never begun.
    if (store.error().code == Code::not_found && !rules.must_be_current) return;
    return found({file, "", store.error().text, "", ""});
  }
  ++counts.stores;
  // Row by row makes sense only where SQLite finds its pages whole.
  if (Status sound = (*store)->verify(found); !sound) {
    found({file, "", sound.error().text, "", ""});
  }
  if (const Result<ArmProgress> progress = (*store)->progress()) {
    counts.responses += progress->accepted;
  }
  const EngineSpec* engine = find_engine(plan, arm.engine_id);
  if (engine == nullptr) {
    return found({file, "arm " + arm.arm_id, "the plan has no engine " + arm.engine_id, "", ""});
  }
  ArmCheck check(arm, engine->model, file, **store, counts, found);
  check.check_identity();
  if (items == nullptr) return;
  check.check_requests(*items);
  if (rules.scoring != nullptr) check.check_scores(*items, rules);
}

void verify_recorded_files(RunStore& run, VerifyCounts& counts, const DifferenceSink& found) {
  const Result<std::vector<PhaseRecord>> records = run.phases();
  const std::string store = (run.folder() / "run.sqlite").string();
  if (!records) return found({store, "", records.error().text, "", ""});
  for (const PhaseRecord& record : *records) {
    const std::string row = "phase " + record.phase + " of " + record.subject;
    const nlohmann::json outputs = nlohmann::json::parse(record.outputs_json, nullptr, false);
    if (!outputs.is_object()) {
      found({store, row, "the record of its files makes no sense", record.outputs_json, ""});
      continue;
    }
    for (const auto& [path, sha256] : outputs.items()) {
      if (!sha256.is_string()) continue;
      const std::string file = (run.folder() / path).string();
      const Result<std::string> now = sha256_hex_of_file(file);
      ++counts.recorded_files;
      if (!now) {
        found({file, "", "recorded by " + row + ": " + now.error().text, "", ""});
      } else if (*now != sha256.get<std::string>()) {
        found({file, "", "the file is not the one that " + row + " recorded",
               sha256.get<std::string>(), *now});
      }
    }
  }
}

}  // namespace promptsweep
