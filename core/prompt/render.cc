// SPDX-License-Identifier: Apache-2.0
#include "prompt/render.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/env.h"

namespace promptsweep {

using nlohmann::ordered_json;

std::string user_turn(const TaskInstructions& instructions, const Item& item) {
  std::string out = instructions.of(item.type) + "\n\n";
  if (item.type == TaskType::open_book) out += "CONTEXT:\n" + item.context + "\n\n";
  return out + "QUESTION:\n" + item.question;
}

std::string request_line(const ArmSpec& arm, const std::string& model, const Item& item,
                         const std::string& request_id, std::uint32_t seed) {
  const Decoding& d = arm.decoding;
  ordered_json line;
  line["request_id"] = request_id;
  line["model"] = model;
  line["messages"] = {{{"role", "system"}, {"content", arm.system_prompt}},
                      {{"role", "user"}, {"content", user_turn(arm.instructions, item)}}};
  line["temperature"] = d.temperature;
  if (d.top_p) line["top_p"] = *d.top_p;
  if (d.top_k) line["top_k"] = *d.top_k;
  line["max_tokens"] = d.max_new_tokens.of(item.type);
  if (!d.stop.empty()) line["stop"] = d.stop;
  // Greedy decoding draws nothing that a seed could steer.
  if (d.temperature > 0) line["seed"] = seed;
  // Texts are checked to be UTF-8 where they are read; a stray byte must not end the program here.
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::vector<RequestRow> request_rows(const ArmSpec& arm, const std::string& model,
                                     const Item& item) {
  std::vector<RequestRow> rows;
  for (int sample = 0; sample < arm.decoding.samples_per_item; ++sample) {
    RequestRow row;
    row.item_key = item_key(item);
    row.sample_index = sample;
    row.type = item.type;
    row.seed = request_seed(arm.decoding.seed, row.item_key, sample, arm.salt);
    // The content is the line without its id, so the id can hash it. Arm, item and sample enter
    // too: two samples at temperature 0 have one content and are still two requests.
    row.content_sha256 = sha256_hex(request_line(arm, model, item, "", row.seed));
    row.request_id = content_id(FieldHash()
                                    .add(arm.arm_id)
                                    .add(row.item_key)
                                    .add(std::int64_t{sample})
                                    .add(row.content_sha256)
                                    .bytes());
    row.custom_id = row.item_key + "|" + std::string(to_string(arm.condition)) + "|" +
                    format_number(arm.decoding.temperature) + "|" + std::to_string(sample) + "|" +
                    std::string(to_string(item.type));
    rows.push_back(std::move(row));
  }
  return rows;
}

Status for_each_request_row(const ArmSpec& arm, const std::string& model, const ItemSource& items,
                            const std::function<Status(const RequestRow&)>& visit) {
  return items.for_each([&](std::int64_t, const Item& item) -> Status {
    for (const RequestRow& row : request_rows(arm, model, item)) {
      if (Status visited = visit(row); !visited) return visited;
    }
    return ok;
  });
}

Result<RequestFile> write_request_file(const std::filesystem::path& path, const ArmSpec& arm,
                                       const std::string& model, const ItemSource& items,
                                       const std::vector<RequestRow>& rows) {
  // Line by line: an open-book arm of some thousand items with their passages, times the samples,
  // is too much to hold in memory for each of several jobs.
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) return std::move(file).error();
  RequestFile out{path, "", 0, 0};
  Sha256 hash;
  constexpr std::size_t items_at_once = 64;
  for (std::size_t first = 0; first < rows.size(); first += items_at_once) {
    const std::size_t end = std::min(rows.size(), first + items_at_once);
    std::vector<std::string> keys;
    for (std::size_t i = first; i < end; ++i) keys.push_back(rows[i].item_key);
    const Result<std::vector<Item>> found = items.find_all(keys);
    if (!found) return found.error();
    for (std::size_t i = first; i < end; ++i) {
      const RequestRow& row = rows[i];
      const std::string line =
          request_line(arm, model, (*found)[i - first], row.request_id, row.seed) + "\n";
      hash.update(line);
      if (Status written = file->append(line); !written) return std::move(written).error();
      ++out.count;
      out.bytes += line.size();
    }
  }
  if (Status done = file->commit(); !done) return std::move(done).error();
  out.sha256 = hash.hex();
  return out;
}

std::int64_t estimate_tokens(std::string_view text) {
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // no continuation byte
  });
  return std::max<std::int64_t>(1, characters / 4);
}

}  // namespace promptsweep
