// SPDX-License-Identifier: Apache-2.0
// Opening, the arm, its requests.
#include <exception>
#include <utility>

#include "base/digest.h"
#include "store/arm_rows.h"
#include "store/arm_schema.h"
#include "store/sqlite_arm_store.h"

namespace promptsweep {
namespace {

// Rows that are read under the lock at a time.
constexpr std::int64_t page_rows = 256;

// What names the rows of an arm: their ids in order.
class RequestsHash {
 public:
  void add(const RequestRow& row) { hash_.update(FieldHash().add(row.request_id).bytes()); }
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

Result<std::unique_ptr<ArmStore>> open_store(const std::filesystem::path& path, Access access) {
  Result<Database> database = Database::open(path, arm_format, access);
  if (!database) return std::move(database).error();
  if (access == Access::read_write) {
    if (Status added = add_digest_column(*database); !added) return std::move(added).error();
  }
  auto store = std::make_unique<SqliteArmStore>(std::move(database).value());
  if (access == Access::read_write) {
    if (Status loaded = store->load_index(); !loaded) return std::move(loaded).error();
  }
  return std::unique_ptr<ArmStore>(std::move(store));
}

}  // namespace

Status SqliteArmStore::check_writable() const {
  if (database_.writable()) return ok;
  return Error{Code::state, database_.path().string() + ": opened for reading only"};
}

Result<std::string> SqliteArmStore::meta(const char* key) const {
  const Result<std::optional<std::string>> value =
      database_.text_of("SELECT value FROM meta WHERE key = ?1", key);
  if (!value) return value.error();
  return value->value_or("");
}

Status SqliteArmStore::set_meta(const char* key, const std::string& value) const {
  return database_.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", key, value);
}

Status SqliteArmStore::load_index() {
  Result<RequestIndex> index = RequestIndex::build([&](const RequestIndex::Take& take) {
    return database_.for_each_row(
        "SELECT request_id, EXISTS(SELECT 1 FROM results WHERE results.request_id = "
        "requests.request_id) FROM requests",
        [&](const Statement& row) -> Status {
          take(row.text(0), row.integer(1) != 0);
          return ok;
        });
  });
  if (!index) return std::move(index).error();
  const std::lock_guard lock(index_mutex_);
  accepted_ = std::move(index).value();
  return ok;
}

Status SqliteArmStore::check_same(const ArmSpec& arm, const ProduceRequests& produce) const {
  const std::string name = database_.path().string();
  const Result<std::string> recorded = meta("arm_id");
  if (!recorded) return recorded.error();
  if (*recorded != arm.arm_id) {
    return Error{Code::state, name + ": holds arm " + *recorded + ", not " + arm.arm_id};
  }
  const Result<std::string> known = meta("requests_sha256");
  if (!known) return known.error();
  RequestsHash hash;
  Status produced = produce([&](const RequestRow& row) -> Status {
    hash.add(row);
    return ok;
  });
  if (!produced) return produced;
  return hash.hex() == *known ? Status(ok) : check_each(produce);
}

// The rows differ, or only their order does.
Status SqliteArmStore::check_each(const ProduceRequests& produce) const {
  const std::string name = database_.path().string();
  const Result<std::int64_t> expected = database_.integer_of("SELECT COUNT(*) FROM requests");
  if (!expected) return expected.error();
  Result<Statement> place =
      database_.prepare("SELECT position FROM requests WHERE request_id = ?1");
  if (!place) return std::move(place).error();
  std::vector<bool> seen(static_cast<std::size_t>(*expected));
  std::int64_t count = 0;
  Status checked = produce([&](const RequestRow& row) -> Status {
    ++count;
    const Result<bool> found = place->bind(row.request_id).step();
    if (!found) return found.error();
    const auto position = *found ? static_cast<std::size_t>(place->integer(0)) : seen.size();
    place->reset();
    if (position >= seen.size() || seen[position]) {
      return Error{Code::state, name + ": request " + row.custom_id + " (" + row.request_id +
                                    ") is not among the arm's recorded requests"};
    }
    seen[position] = true;
    return ok;
  });
  if (!checked) return checked;
  if (count != *expected) {
    return Error{Code::state, name + ": the arm has " + std::to_string(*expected) +
                                  " recorded requests, the plan " + std::to_string(count)};
  }
  return ok;
}

Result<std::string> SqliteArmStore::insert_requests(const ProduceRequests& produce) const {
  Result<Statement> insert = database_.prepare("INSERT INTO requests VALUES(?,?,?,?,?,?,?,?)");
  if (!insert) return std::move(insert).error();
  std::int64_t position = 0;
  RequestsHash hash;
  Status produced = produce([&](const RequestRow& row) -> Status {
    hash.add(row);
    Status done =
        insert
            ->bind(position++, row.request_id, row.custom_id, row.item_key, row.sample_index,
                   to_string(row.type), std::int64_t{row.seed}, row.content_sha256)
            .run();
    if (!done) return std::move(done).error().in("request " + row.custom_id);
    return ok;
  });
  if (!produced) return std::move(produced).error();
  return hash.hex();
}

Status SqliteArmStore::initialise(const ArmSpec& arm, const ProduceRequests& produce) {
  if (Status writable = check_writable(); !writable) return writable;
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> recorded = meta("arm_id");
  if (!recorded) return recorded.error();
  if (!recorded->empty()) return check_same(arm, produce);
  std::string document;
  try {
    document = to_json(arm);
  } catch (const std::exception& failed) {  // text that is no UTF-8
    return Error{Code::data, "arm " + arm.arm_id + ": " + failed.what()};
  }
  Status done = database_.transaction([&]() -> Status {
    if (Status set = set_meta("arm_id", arm.arm_id); !set) return set;
    if (Status set = set_meta("arm", document); !set) return set;
    Status named =
        database_.execute("INSERT INTO meta VALUES('store_id', lower(hex(randomblob(16))))");
    if (!named) return named;
    const Result<std::string> hash = insert_requests(produce);
    if (!hash) return hash.error();
    return set_meta("requests_sha256", *hash);
  });
  if (!done) return done;
  return load_index();
}

Result<ArmSpec> SqliteArmStore::arm() {
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> document = meta("arm");
  if (!document) return document.error();
  const std::string name = database_.path().string();
  if (document->empty()) return Error{Code::state, name + ": the store holds no arm yet"};
  std::optional<ArmSpec> spec = arm_spec_from_json(*document);
  if (!spec) return Error{Code::data, name + ": the arm's record makes no sense"};
  return *std::move(spec);
}

Result<std::string> SqliteArmStore::store_id() {
  const std::lock_guard lock(database_mutex_);
  return meta("store_id");
}

Result<std::string> SqliteArmStore::engine_identity() {
  const std::lock_guard lock(database_mutex_);
  return meta("engine_identity");
}

Status SqliteArmStore::record_engine_identity(const std::string& identity_json) {
  if (Status writable = check_writable(); !writable) return writable;
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> recorded = meta("engine_identity");
  if (!recorded) return recorded.error();
  if (recorded->empty()) return set_meta("engine_identity", identity_json);
  if (*recorded == identity_json) return ok;
  return Error{Code::state, database_.path().string() + ": the arm was answered by the engine " +
                                *recorded + ", now it is " + identity_json};
}

Result<ArmProgress> SqliteArmStore::progress() {
  const std::lock_guard lock(database_mutex_);
  ArmProgress out;
  // One read transaction, so that the numbers fit together beside a writer.
  if (Status begun = database_.execute("BEGIN"); !begun) return std::move(begun).error();
  Status counted = count_progress(database_, out);
  Status ended = database_.execute("COMMIT");
  if (!counted) return std::move(counted).error();
  if (!ended) return std::move(ended).error();
  return out;
}

Result<std::vector<RequestRow>> SqliteArmStore::select_requests(const char* condition) const {
  std::vector<RequestRow> out;
  Status read = database_.for_each_row(std::string("SELECT ") + request_columns +
                                           " FROM requests q " + condition + " ORDER BY q.position",
                                       [&](const Statement& row) -> Status {
                                         out.push_back(request_from(row, 0));
                                         return ok;
                                       });
  if (!read) return std::move(read).error();
  return out;
}

Status SqliteArmStore::for_each_request(
    const std::function<Status(std::int64_t, const RequestRow&)>& visit) {
  const std::string select = std::string("SELECT q.position, ") + request_columns +
                             " FROM requests q WHERE q.position >= ?1 ORDER BY q.position LIMIT ?2";
  std::int64_t next = 0;
  while (true) {
    std::vector<RequestRow> page;
    {
      const std::lock_guard lock(database_mutex_);
      Status read = database_.for_each_row(
          select,
          [&](const Statement& row) -> Status {
            page.push_back(request_from(row, 1));
            return ok;
          },
          next, page_rows);
      if (!read) return read;
    }
    if (page.empty()) return ok;
    for (const RequestRow& row : page) {
      if (Status visited = visit(next++, row); !visited) return visited;
    }
  }
}

Result<std::vector<RequestRow>> SqliteArmStore::requests() {
  const std::lock_guard lock(database_mutex_);
  return select_requests("");
}

Result<std::vector<RequestRow>> SqliteArmStore::pending() {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  return select_requests(
      "WHERE NOT EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id)"
      " AND NOT EXISTS(SELECT 1 FROM job_requests j WHERE j.request_id = q.request_id"
      " AND j.open = 1)");
}

Result<std::vector<ArmStore::RequestState>> SqliteArmStore::request_states() {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  std::vector<RequestState> out;
  Status read = database_.for_each_row(
      "SELECT q.type, EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id),"
      " EXISTS(SELECT 1 FROM job_requests j WHERE j.request_id = q.request_id AND j.open = 1)"
      " FROM requests q ORDER BY q.position",
      [&](const Statement& row) -> Status {
        out.push_back({task_type_from(row.text(0)).value_or(TaskType::closed_book),
                       row.integer(1) != 0, row.integer(2) != 0});
        return ok;
      });
  if (!read) return std::move(read).error();
  return out;
}

Result<std::vector<RequestRow>> SqliteArmStore::requests_at(
    const std::vector<std::int64_t>& positions) {
  const std::lock_guard lock(database_mutex_);
  Result<Statement> select = database_.prepare(std::string("SELECT ") + request_columns +
                                               " FROM requests q WHERE q.position = ?1");
  if (!select) return std::move(select).error();
  std::vector<RequestRow> out;
  out.reserve(positions.size());
  // One look at the file for all of them.
  const ReadTransaction together(database_);
  for (const std::int64_t position : positions) {
    const Result<bool> found = select->bind(position).step();
    if (!found) return found.error();
    if (!*found) {
      return Error{Code::not_found, database_.path().string() + ": the arm has no request at " +
                                        std::to_string(position)};
    }
    out.push_back(request_from(*select, 0));
    select->reset();
  }
  return out;
}

Status ArmStore::initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows) {
  return initialise(arm, [&](const TakeRequest& take) -> Status {
    for (const RequestRow& row : rows) {
      if (Status taken = take(row); !taken) return taken;
    }
    return ok;
  });
}

Result<std::unique_ptr<ArmStore>> ArmStore::open(const std::filesystem::path& path) {
  return open_store(path, Access::read_write);
}

Result<std::unique_ptr<ArmStore>> ArmStore::open_read_only(const std::filesystem::path& path) {
  return open_store(path, Access::read_only);
}

Result<std::unique_ptr<ArmStore>> ArmStore::open_immutable(const std::filesystem::path& path) {
  return open_store(path, Access::immutable);
}

}  // namespace promptsweep
