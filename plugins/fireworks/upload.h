// SPDX-License-Identifier: Apache-2.0
// The dataset of a job: made, filled and READY, or found as an earlier process left it.
#pragma once

#include <optional>
#include <string>

#include "control.h"
#include "intake.h"
#include "options.h"
#include "patience.h"
#include "work.h"

namespace fireworks {

// Nothing is paid before a job is created, so whatever goes wrong here ends the job with a
// psw::Error. Throws Stopped too.
class Uploader {
 public:
  Uploader(Work& work, Control& control, const Options& options);

  // Gives the id of a dataset that is READY and holds the intake's file: `id`, or where something
  // else has taken that name, `id` with a number.
  std::string ensure(const Intake& intake, const std::string& id);

 private:
  bool fill(const Intake& intake, const std::string& id);  // false: the name is taken
  std::optional<DatasetView> look_up(const std::string& id);
  void create(const Intake& intake, const std::string& id);
  void upload(const Intake& intake, const std::string& id);
  bool post_file(const Intake& intake, const std::string& id);  // false: too large for that
  void put_file(const Intake& intake, const std::string& id);
  bool put_once(const Intake& intake, const std::string& id);
  void validate(const std::string& id);
  bool wait_until_ready(const std::string& id);
  // Throws for a reply that will not get better.
  void refuse(Came came, const http::Reply& reply, const std::string& what, int round) const;

  Work& work_;
  Control& control_;
  const Options& options_;
  Patience patience_;
};

}  // namespace fireworks
