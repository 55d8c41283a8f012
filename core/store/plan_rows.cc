// SPDX-License-Identifier: Apache-2.0
#include "store/plan_rows.h"

#include <exception>
#include <map>

#include "base/digest.h"

namespace promptsweep {
namespace {

Error nonsense(const Database& database, const std::string& what) {
  return {Code::data, database.path().string() + ": the record of " + what + " makes no sense"};
}

// The member of RunPlan that each of these keys of `meta` holds.
struct PlanField {
  const char* key;
  std::string RunPlan::*member;
};
constexpr PlanField plan_fields[] = {
    {"run_id", &RunPlan::run_id},
    {"config_sha256", &RunPlan::config_sha256},
    {"effective_config", &RunPlan::effective_config},
    {"command_line", &RunPlan::command_line_json},
    {"invocation", &RunPlan::invocation_json},
    {"items_sha256", &RunPlan::items_sha256},
    {"order", &RunPlan::order},
};

template <class Spec>
Status read_documents(const Database& database, const char* table,
                      std::optional<Spec> (*from)(const std::string&), std::vector<Spec>& out) {
  return database.for_each_row(std::string("SELECT document FROM ") + table + " ORDER BY position",
                               [&](const Statement& row) -> Status {
                                 std::optional<Spec> spec = from(row.text(0));
                                 if (!spec) return nonsense(database, table);
                                 out.push_back(*std::move(spec));
                                 return ok;
                               });
}

Result<std::map<std::string, std::string>> items_by_arm(const Database& database) {
  std::map<std::string, std::string> out;
  Status read = database.for_each_row("SELECT arm_id, items_sha256 FROM arms",
                                      [&](const Statement& row) -> Status {
                                        out.emplace(row.text(0), row.text(1));
                                        return ok;
                                      });
  if (!read) return std::move(read).error();
  return out;
}

Status insert_arms(const Database& database, const RunPlan& plan,
                   const std::map<std::string, std::string>& items) {
  std::int64_t position = 0;
  for (const ArmSpec& arm : plan.arms) {
    Status done = database.execute("INSERT INTO arms VALUES(?1, ?2, ?3, ?4)", position++,
                                   arm.arm_id, items.at(arm.arm_id), to_json(arm));
    if (!done) return done;
  }
  return ok;
}

Status insert_rest(const Database& database, const RunPlan& plan) {
  std::int64_t position = 0;
  for (const EngineSpec& engine : plan.engines) {
    Status done = database.execute("INSERT INTO engines VALUES(?1, ?2, ?3)", position++,
                                   engine.engine_id, to_json(engine));
    if (!done) return done;
  }
  position = 0;
  for (const TrialSpec& trial : plan.trials) {
    Status done = database.execute("INSERT INTO trials VALUES(?1, ?2, ?3, ?4)", position++,
                                   trial.slug, trial.superseded, to_json(trial));
    if (!done) return done;
  }
  Result<Statement> insert = database.prepare("INSERT INTO blocks VALUES(?1, ?2, ?3, ?4, ?5)");
  if (!insert) return std::move(insert).error();
  position = 0;
  for (const Block& block : plan.blocks) {
    Status done =
        insert->bind(position++, block.arm_id, to_string(block.type), block.first, block.count)
            .run();
    if (!done) return done;
  }
  return ok;
}

}  // namespace

Result<std::string> read_meta(const Database& database, const char* key) {
  const Result<std::optional<std::string>> value =
      database.text_of("SELECT value FROM meta WHERE key = ?1", key);
  if (!value) return value.error();
  return value->value_or("");
}

Status write_meta(const Database& database, const char* key, const std::string& value) {
  return database.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", key, value);
}

Result<RunPlan> read_plan_outline(const Database& database) {
  RunPlan plan;
  for (const PlanField& field : plan_fields) {
    Result<std::string> value = read_meta(database, field.key);
    if (!value) return std::move(value).error();
    plan.*field.member = std::move(value).value();
  }
  Status read = read_documents(database, "engines", &engine_spec_from_json, plan.engines);
  if (read) read = read_documents(database, "arms", &arm_spec_from_json, plan.arms);
  if (read) read = read_documents(database, "trials", &trial_spec_from_json, plan.trials);
  if (!read) return std::move(read).error();
  return plan;
}

Result<RunPlan> read_plan(const Database& database) {
  Result<RunPlan> plan = read_plan_outline(database);
  if (!plan) return plan;
  Status read = database.for_each_row(
      "SELECT arm_id, type, first, count FROM blocks ORDER BY position",
      [&](const Statement& row) -> Status {
        const std::optional<TaskType> type = task_type_from(row.text(1));
        if (!type) return nonsense(database, "blocks");
        plan->blocks.push_back({row.text(0), *type, row.integer(2), row.integer(3)});
        return ok;
      });
  if (!read) return std::move(read).error();
  return plan;
}

Status replace_plan(const Database& database, const RunPlan& plan,
                    const std::vector<ArmSpec>& fresh_arms) {
  Result<std::map<std::string, std::string>> items = items_by_arm(database);
  if (!items) return std::move(items).error();
  for (const ArmSpec& arm : fresh_arms) (*items)[arm.arm_id] = plan.items_sha256;
  for (const char* table : {"blocks", "trials", "arms", "engines"}) {
    Status cleared = database.execute(std::string("DELETE FROM ") + table);
    if (!cleared) return cleared;
  }
  try {
    for (const PlanField& field : plan_fields) {
      if (Status set = write_meta(database, field.key, plan.*field.member); !set) return set;
    }
    if (Status done = insert_arms(database, plan, *items); !done) return done;
    return insert_rest(database, plan);
  } catch (const std::exception& failed) {  // text that is no UTF-8
    return Error{Code::data, std::string("the plan cannot be stored: ") + failed.what()};
  }
}

Result<std::int64_t> count_items(const Database& database, const std::string& items_sha256) {
  // A set is written in one transaction: its positions have no gaps.
  return database.integer_of(
      "SELECT COALESCE(MAX(position) + 1, 0) FROM items WHERE items_sha256 = ?1", items_sha256);
}

Status pin_items(const Database& database, const std::string& items_sha256,
                 const ItemSource& items) {
  const Result<std::int64_t> pinned = count_items(database, items_sha256);
  if (!pinned) return pinned.error();
  if (*pinned == items.size()) return ok;
  if (*pinned != 0) {
    return Error{Code::state, database.path().string() + ": " + std::to_string(*pinned) +
                                  " items are pinned under " + items_sha256 + ", the plan has " +
                                  std::to_string(items.size())};
  }
  Result<Statement> insert = database.prepare("INSERT INTO items VALUES(?1, ?2, ?3, ?4)");
  if (!insert) return std::move(insert).error();
  return items.for_each([&](std::int64_t position, const Item& item) -> Status {
    std::string document;
    try {
      document = to_json(item);
    } catch (const std::exception& failed) {  // text that is no UTF-8
      return Error{Code::data, "item " + item_key(item) + " cannot be stored: " + failed.what()};
    }
    return insert->bind(items_sha256, position, item_key(item), document).run();
  });
}

Status find_damaged_items(const Database& database, const DifferenceSink& found) {
  const std::string file = database.path().string();
  std::string set;  // whose rows are being read
  Sha256 hash;
  const auto end_set = [&] {
    const std::string now = hash.hex();
    if (!set.empty() && now != set) {
      found(
          {file, "items " + set, "the pinned items are not those that their hash names", set, now});
    }
  };
  Status read = database.for_each_row(
      "SELECT items_sha256, position, item_key, document FROM items "
      "ORDER BY items_sha256, position",
      [&](const Statement& row) -> Status {
        if (row.text(0) != set) {
          end_set();
          hash = Sha256();
          set = row.text(0);
        }
        const std::string document = row.text(3);
        hash.update(FieldHash().add(document).bytes());
        const std::optional<Item> item = item_from_json(document);
        if (item && item_key(*item) == row.text(2)) return ok;
        found({file, "item " + row.text(2) + " (position " + std::to_string(row.integer(1)) + ")",
               item ? "the pinned item has another key" : "the pinned item makes no sense",
               row.text(2), item ? item_key(*item) : ""});
        return ok;
      });
  if (read) end_set();
  return read;
}

}  // namespace promptsweep
