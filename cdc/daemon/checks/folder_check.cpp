#include "cdc/daemon/checks/folder_check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/instance_lock.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// The folder itself, or the nearest one above it: where run would create it.
std::filesystem::path existing_part(std::filesystem::path folder) {
  std::error_code ignored;
  folder = std::filesystem::absolute(folder, ignored);
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  return folder;
}

// Empty: this user may; else why not.
std::string refusal(const std::filesystem::path& path, int access) {
  if (::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0) return {};
  return path.string() + ": " + std::generic_category().message(errno);
}

}  // namespace

void check_folder(const std::string& name, const std::filesystem::path& folder,
                  const std::filesystem::path& lock, const std::string& slot, Findings& findings) {
  const auto existing = existing_part(folder);
  std::error_code ignored;
  if (!std::filesystem::is_directory(existing, ignored)) {
    findings.error(name, exit_not_permitted, existing.string() + " is not a folder",
                   "remove it, or choose another folder");
    return;
  }
  auto refused = refusal(existing, W_OK | X_OK);
  if (refused.empty() && std::filesystem::exists(lock, ignored)) {
    refused = refusal(lock, R_OK | W_OK);
  }
  if (!refused.empty()) {
    findings.error(name, exit_not_permitted, refused, "make it writable for this user");
    return;
  }
  const auto holder = InstanceLock::find_holder(lock);
  if (holder && !holder->slot.empty() && holder->slot != slot) {
    findings.error(name, exit_settings,
                   lock.string() + " is locked by process " + holder->pid +
                       ", which feeds from the slot " + holder->slot,
                   "give each pipeline a name and a folder of its own");
    return;
  }
  const bool there = std::filesystem::exists(folder, ignored);
  findings.ok(name, folder.string() + (there ? " is writable" : " will be created") +
                        (holder ? ", in use by process " + holder->pid : ""));
}

}  // namespace pgcourier::cdc::daemon
