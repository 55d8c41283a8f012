// SPDX-License-Identifier: Apache-2.0
// The results of a batch job that has ended are fetched: every file of its output dataset, by URLs
// that live for minutes.
#include <promptsweep/http/error_body.h>

#include <algorithm>

#include "batch_job.h"

namespace fireworks {
namespace {

constexpr int most_cut_downloads = 3;

}  // namespace

void BatchJob::take_results(const JobView& view) {
  const std::string& output = view.output_dataset;
  if (output.empty()) return;
  if (std::find(outputs_.begin(), outputs_.end(), output) == outputs_.end())
    outputs_.push_back(output);
  const bool deleted = view.state == "OVERDUE" || view.state == "DELETED";
  patience_.reset();
  for (int round = 1, stale = 0;; ++round) {
    work_.stage("taking the results of " + jobs_.back());
    const Taken taken = take_files(output);
    if (taken == Taken::all || deleted) return;
    const bool has_some =
        view.phase == Phase::completed || (view.phase == Phase::partial && view.processed > 0);
    if (taken == Taken::none_there && (!has_some || round >= silent_rounds)) return;
    if (round >= results_rounds || (taken == Taken::denied && round >= denied_rounds)) {
      leave_open(work_, "the results of " + jobs_.back() + " cannot be downloaded");
    }
    // A new URL is had at once.
    if (taken == Taken::stale_url && ++stale <= 2) continue;
    patience_.wait();
  }
}

BatchJob::Taken BatchJob::take_files(const std::string& output) {
  const http::Reply reply = control_.download_endpoint(output);
  const Came came = came_of(reply);
  if (came == Came::cancelled) throw Stopped{};
  if (came == Came::absent) return Taken::none_there;
  if (came == Came::denied) return Taken::denied;
  if (came != Came::good) return Taken::unclear;
  std::vector<SignedFile> files;
  try {
    files = parse_signed_files(reply.body);
  } catch (const psw::Error&) {
    return Taken::unclear;
  }
  if (files.empty()) return Taken::none_there;
  // Answers first: a row that is in both kinds of files was answered.
  std::stable_sort(files.begin(), files.end(),
                   [](const SignedFile& a, const SignedFile& b) { return !a.errors && b.errors; });
  for (const SignedFile& file : files) {
    const Taken taken = take_file(output, file);
    if (taken != Taken::all) return taken;
  }
  return Taken::all;
}

BatchJob::Taken BatchJob::take_file(const std::string& output, const SignedFile& file) {
  const std::string name = output + "/" + file.path;
  if (taken_files_.count(name) != 0) return Taken::all;
  const std::filesystem::path path = scratch_ / (intake_.file.stem().string() + "-results");
  const http::Reply reply = control_.download(file.url, path);
  if (came_of(reply) == Came::cancelled) throw Stopped{};
  if (reply.arrived() && (reply.status == 403 || reply.status == 404 || reply.status == 400)) {
    return Taken::stale_url;
  }
  if (!reply.good()) return Taken::unclear;
  const bool whole = is_whole(path);
  if (!whole && ++cut_files_[name] < most_cut_downloads) return Taken::stale_url;
  if (!whole) {
    work_.log(PSW_LOG_WARN, name + " came cut or broken " + std::to_string(most_cut_downloads) +
                                " times; its whole rows are taken");
  }
  results_->take(path);
  taken_files_.insert(name);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return Taken::all;
}

}  // namespace fireworks
