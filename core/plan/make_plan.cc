// SPDX-License-Identifier: Apache-2.0
#include "plan/make_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/digest.h"
#include "base/env.h"
#include "base/unicode.h"
#include "plan/arms.h"
#include "plan/expand.h"
#include "plan/order.h"
#include "plan/slug.h"
#include "prompt/render.h"

namespace promptsweep {
namespace {

std::string without_trailing_space(std::string text) {
  while (!text.empty() &&
         std::string_view(" \t\r\n\f\v").find(text.back()) != std::string_view::npos) {
    text.pop_back();
  }
  return text;
}

Result<PromptText> read_prompt(const std::filesystem::path& path) {
  Result<std::string> bytes = read_file(path);
  if (!bytes) return Error{Code::invalid_input, bytes.error().text};
  if (!is_valid_utf8(*bytes)) {
    return Error{Code::invalid_input, path.string() + ": not UTF-8 text; save the prompt as UTF-8"};
  }
  PromptText out;
  out.text = without_trailing_space(std::move(bytes).value());
  out.path = path.string();
  out.sha256 = sha256_hex(out.text);
  return out;
}

std::string store_path_of(const ArmSpec& arm, const std::string& slug) {
  const std::string folder = arm.condition == Condition::control ? "shared_controls/" + arm.arm_id
                                                                 : slug + "/arms/" + arm.arm_id;
  return folder + "/arm.sqlite";
}

// The sum of estimate_tokens(user_turn(...)) over the items: characters / 4, rounded down each,
// from the characters that all items share and the sums of their own.
std::int64_t user_turn_tokens(const TaskInstructions& instructions, TaskType type,
                              const SelectionFacts::OfType& of) {
  Item bare;
  bare.type = type;
  const std::string text = user_turn(instructions, bare);
  const auto shared = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // no continuation byte
  });
  return of.items * (shared / 4) + of.quarters[static_cast<std::size_t>(shared % 4)];
}

// Builds the plan cell by cell; arms are made once and found again by id.
class Planner {
 public:
  explicit Planner(const PlanInputs& inputs) : inputs_(inputs), config_(*inputs.config) {}

  Result<PlannedRun> run() {
    Result<std::vector<Cell>> cells = expand_cells(config_);
    if (!cells) return std::move(cells).error();
    if (Status read = read_instructions(); !read) return std::move(read).error();
    for (const Cell& cell : *cells) {
      if (Status added = add_trial(cell); !added) return std::move(added).error();
    }
    finish();
    return std::move(out_);
  }

 private:
  RunPlan& plan() { return out_.plan; }

  Status read_instructions() {
    Result<PromptText> closed = read_prompt(config_.closed_book_instructions);
    if (!closed) return std::move(closed).error().in("task_instructions.closed_book");
    Result<PromptText> open = read_prompt(config_.open_book_instructions);
    if (!open) return std::move(open).error().in("task_instructions.open_book");
    instructions_ = {closed->text, open->text};
    return ok;
  }

  Result<const PromptText*> prompt(const std::filesystem::path& path) {
    auto found = prompts_.find(path.string());
    if (found == prompts_.end()) {
      Result<PromptText> text = read_prompt(path);
      if (!text) return std::move(text).error();
      found = prompts_.emplace(path.string(), std::move(text).value()).first;
    }
    return &found->second;
  }

  std::string engine_for(const ModelEntry& model) {
    FieldHash hash;
    hash.add(model.backend).add(model.id).add(model.backend_options_json).add(model.isolation);
    const std::string id = content_id(hash.bytes());
    if (find_engine(plan(), id) == nullptr) {
      plan().engines.push_back(
          {id, model.backend, model.id, model.backend_options_json, model.isolation});
    }
    return id;
  }

  int samples_at(double temperature) const {
    const auto found = config_.samples_per_item.find(format_number(temperature));
    if (found != config_.samples_per_item.end()) return found->second;
    return config_.samples_per_item.empty() ? 1 : config_.samples_per_item.begin()->second;
  }

  ArmSpec arm_for(const Cell& cell, double temperature, Condition condition,
                  const PromptText& system_prompt, const std::string& salt) {
    ArmIngredients from;
    from.cell = &cell;
    from.temperature = temperature;
    from.condition = condition;
    from.system_prompt = &system_prompt;
    from.instructions = &instructions_;
    from.engine_id = engine_for(*cell.model);
    from.answer_options_json = inputs_.answer_changing_options(*cell.model);
    if (inputs_.selection != nullptr) from.items_sha256 = inputs_.selection->items_sha256;
    from.samples_per_item = samples_at(temperature);
    from.stop = config_.stop;
    from.seed = config_.seed;
    from.salt = inputs_.dry_run ? "dry run " + salt : salt;
    return make_arm(from);
  }

  // Pending arms have no id to find them by; they are told apart by what they hold.
  std::string add_arm(ArmSpec arm, const std::string& slug) {
    FieldHash key;
    key.add(arm.engine_id)
        .add(arm.system_prompt_sha256)
        .add(format_number(arm.decoding.temperature));
    key.add(arm.decoding.top_p ? format_number(*arm.decoding.top_p) : "-");
    key.add(arm.decoding.top_k ? std::to_string(*arm.decoding.top_k) : "-");
    key.add(std::int64_t{arm.decoding.max_new_tokens.closed_book});
    key.add(std::int64_t{arm.decoding.max_new_tokens.open_book}).add(arm.salt);
    if (arm.arm_id == pending_id)
      arm.arm_id = std::string(pending_id) + "-" + content_id(key.bytes()).substr(0, 8);
    const std::string id = arm.arm_id;
    ++uses_[id];
    if (find_arm(plan(), id) != nullptr) return id;
    arm.store_path = store_path_of(arm, slug);
    if (inputs_.selection != nullptr) {
      arm.request_count = inputs_.selection->size() * arm.decoding.samples_per_item;
    }
    plan().arms.push_back(std::move(arm));
    return id;
  }

  Status add_trial(const Cell& cell) {
    Result<const PromptText*> control = prompt(cell.prompt_set->control);
    if (!control)
      return std::move(control).error().in("prompt set " + cell.prompt_set->name + ", control");
    Result<const PromptText*> treatment = prompt(cell.prompt_set->treatment);
    if (!treatment)
      return std::move(treatment).error().in("prompt set " + cell.prompt_set->name + ", treatment");
    // The same text twice is an A/A trial: the salt makes its second arm independent of the first.
    const bool is_aa = (*control)->sha256 == (*treatment)->sha256;
    const std::string salt = is_aa ? "A/A " + cell.prompt_set->name : "";

    std::vector<std::pair<ArmSpec, ArmSpec>> pairs;
    FieldHash hash;
    bool known = true;
    for (double temperature : cell.temps) {
      pairs.emplace_back(arm_for(cell, temperature, Condition::control, **control, ""),
                         arm_for(cell, temperature, Condition::treatment, **treatment, salt));
      known = known && pairs.back().first.arm_id != pending_id;
      hash.add(pairs.back().first.arm_id).add(pairs.back().second.arm_id);
    }
    TrialSpec trial;
    trial.slug = trial_slug(cell, known ? content_id(hash.bytes()).substr(0, 8) : "");
    if (!slugs_.insert(unicode_lower(trial.slug)).second) {
      return Error{Code::invalid_input, config_.file.string() +
                                            ": two trials ask for the same thing (" + trial.slug +
                                            "); remove one of them"};
    }
    trial.user_id = cell.user_id;
    trial.engine_id = engine_for(*cell.model);
    trial.backend = cell.model->backend;
    trial.model = cell.model->id;
    trial.model_alias = cell.model->alias;
    trial.prompt_set = cell.prompt_set->name;
    trial.top_p = cell.top_p;
    trial.top_k = cell.top_k;
    trial.max_new_tokens = cell.max_new_tokens;
    for (auto& [control_arm, treatment_arm] : pairs) {
      ArmPair pair;
      pair.temperature = control_arm.decoding.temperature;
      if (config_.condition != "treatment")
        pair.control_arm_id = add_arm(std::move(control_arm), trial.slug);
      if (config_.condition != "control")
        pair.treatment_arm_id = add_arm(std::move(treatment_arm), trial.slug);
      trial.pairs.push_back(std::move(pair));
    }
    plan().trials.push_back(std::move(trial));
    out_.ids_known = (plan().trials.size() == 1 || out_.ids_known) && known;
    return ok;
  }

  void estimate(const ArmSpec& arm) {
    ArmEstimate estimate;
    estimate.arm_id = arm.arm_id;
    estimate.requests = arm.request_count;
    if (inputs_.selection != nullptr) {
      std::int64_t tokens = 0, limit = 0;
      for (const TaskType type : {TaskType::closed_book, TaskType::open_book}) {
        const SelectionFacts::OfType& of = inputs_.selection->of(type);
        tokens += of.items * estimate_tokens(arm.system_prompt) +
                  user_turn_tokens(arm.instructions, type, of);
        limit += of.items * arm.decoding.max_new_tokens.of(type);
      }
      estimate.prompt_tokens = tokens * arm.decoding.samples_per_item;
      estimate.max_completion_tokens = limit * arm.decoding.samples_per_item;
    }
    out_.requests += estimate.requests;
    if (arm.condition == Condition::control && uses_[arm.arm_id] > 1) {
      ++out_.shared_controls;
      out_.requests_saved_by_sharing += estimate.requests * (uses_[arm.arm_id] - 1);
    }
    out_.estimates.push_back(estimate);
  }

  void finish() {
    plan().run_id = inputs_.run_id;
    plan().config_sha256 = sha256_hex(config_.effective_yaml);
    plan().effective_config = config_.effective_yaml;
    plan().command_line_json = inputs_.command_line_json;
    plan().order = config_.order;
    std::vector<BlockCounts> counts;
    std::int64_t closed = 0, open = 0;
    if (inputs_.selection != nullptr) {
      plan().items_sha256 = inputs_.selection->items_sha256;
      closed = inputs_.selection->closed_book.items;
      open = inputs_.selection->open_book.items;
    }
    for (const ArmSpec& arm : plan().arms) {
      estimate(arm);
      const int k = arm.decoding.samples_per_item;
      counts.push_back(
          {arm.arm_id, arm.engine_id, arm.decoding.temperature, closed * k, open * k, k});
    }
    plan().blocks =
        order_blocks(counts, config_.block_size, config_.order == "interleaved", config_.seed);
  }

  const PlanInputs& inputs_;
  const SweepConfig& config_;
  TaskInstructions instructions_;
  std::map<std::string, PromptText> prompts_;
  std::map<std::string, int> uses_;
  std::set<std::string> slugs_;
  PlannedRun out_;
};

}  // namespace

Result<PlannedRun> make_plan(const PlanInputs& inputs) { return Planner(inputs).run(); }

}  // namespace promptsweep
