// Open streamed transactions on disk: an unlinked file each, so that nothing is left behind however
// the process ends.
#pragma once

#include <filesystem>

#include "cdc/spill_store.hpp"

namespace pgcourier::cdc::daemon {

class SpillFiles : public SpillStore {
 public:
  // The folder is made when it is first needed.
  explicit SpillFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::unique_ptr<SpillFile> make_file() override;

 private:
  std::filesystem::path folder_;
};

}  // namespace pgcourier::cdc::daemon
